# One function with the triggers that people give to functions, and a function URL.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}

variable "greeting" { default = "hello" }
variable "package" {}
variable "runtime" {}

resource "aws_iam_role" "app" {
  name = "shop-terraform"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_policy" "app" {
  name = "shop-terraform"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = ["sqs:*", "dynamodb:*", "kinesis:*", "logs:*"], Resource = "*" }]
  })
}

resource "aws_iam_role_policy_attachment" "app" {
  role       = aws_iam_role.app.name
  policy_arn = aws_iam_policy.app.arn
}

resource "aws_iam_role_policy" "inline" {
  name   = "inline"
  role   = aws_iam_role.app.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "s3:*", Resource = "*" }]
  })
}

resource "aws_cloudwatch_log_group" "app" {
  name              = "/aws/lambda/shop-terraform"
  retention_in_days = 7
  tags              = { app = "shop" }
}

resource "aws_lambda_layer_version" "words" {
  layer_name          = "shop-terraform-words"
  filename            = var.package
  source_code_hash    = filebase64sha256(var.package)
  compatible_runtimes = ["python3.11", "python3.12", "python3.13"]
}

resource "aws_lambda_function" "app" {
  function_name    = "shop-terraform"
  role             = aws_iam_role.app.arn
  runtime          = var.runtime
  handler          = "index.handler"
  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
  layers           = [aws_lambda_layer_version.words.arn]
  publish          = true
  timeout          = 20
  memory_size      = 256
  environment { variables = { GREETING = var.greeting } }
  tracing_config { mode = "PassThrough" }
  tags       = { app = "shop" }
  depends_on = [aws_cloudwatch_log_group.app]
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.app.function_name
  function_version = aws_lambda_function.app.version
}

resource "aws_lambda_function_url" "app" {
  function_name      = aws_lambda_function.app.function_name
  authorization_type = "NONE"
  cors { allow_origins = ["*"] }
}

resource "aws_lambda_permission" "url" {
  statement_id  = "url"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.app.function_name
  principal     = "*"
}

# --- a bucket

resource "aws_s3_bucket" "uploads" {
  bucket        = "shop-terraform-uploads"
  force_destroy = true
  tags          = { app = "shop" }
}

resource "aws_s3_bucket_versioning" "uploads" {
  bucket = aws_s3_bucket.uploads.id
  versioning_configuration { status = "Enabled" }
}

resource "aws_s3_bucket_public_access_block" "uploads" {
  bucket                  = aws_s3_bucket.uploads.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "uploads" {
  bucket = aws_s3_bucket.uploads.id
  rule {
    apply_server_side_encryption_by_default { sse_algorithm = "AES256" }
  }
}

resource "aws_lambda_permission" "bucket" {
  statement_id  = "bucket"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.app.function_name
  principal     = "s3.amazonaws.com"
  source_arn    = aws_s3_bucket.uploads.arn
}

resource "aws_s3_bucket_notification" "uploads" {
  bucket = aws_s3_bucket.uploads.id
  lambda_function {
    lambda_function_arn = aws_lambda_function.app.arn
    events              = ["s3:ObjectCreated:*"]
    filter_prefix       = "in/"
  }
  depends_on = [aws_lambda_permission.bucket]
}

# --- a topic

resource "aws_sns_topic" "news" {
  name = "shop-terraform-news"
  tags = { app = "shop" }
}

resource "aws_lambda_permission" "topic" {
  statement_id  = "topic"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.app.function_name
  principal     = "sns.amazonaws.com"
  source_arn    = aws_sns_topic.news.arn
}

resource "aws_sns_topic_subscription" "news" {
  topic_arn = aws_sns_topic.news.arn
  protocol  = "lambda"
  endpoint  = aws_lambda_function.app.arn
}

# --- a table

resource "aws_dynamodb_table" "orders" {
  name             = "shop-terraform-orders"
  billing_mode     = "PAY_PER_REQUEST"
  hash_key         = "id"
  stream_enabled   = true
  stream_view_type = "NEW_AND_OLD_IMAGES"
  attribute {
    name = "id"
    type = "S"
  }
  attribute {
    name = "at"
    type = "N"
  }
  global_secondary_index {
    name            = "by-time"
    hash_key        = "at"
    projection_type = "ALL"
  }
  ttl {
    attribute_name = "until"
    enabled        = true
  }
  tags = { app = "shop" }
}

resource "aws_lambda_event_source_mapping" "orders" {
  event_source_arn  = aws_dynamodb_table.orders.stream_arn
  function_name     = aws_lambda_function.app.arn
  starting_position = "TRIM_HORIZON"
}

# --- rules and a schedule

resource "aws_cloudwatch_event_rule" "every_minute" {
  name                = "shop-terraform-every-minute"
  schedule_expression = "rate(1 minute)"
}

resource "aws_cloudwatch_event_target" "every_minute" {
  rule = aws_cloudwatch_event_rule.every_minute.name
  arn  = aws_lambda_function.app.arn
}

resource "aws_cloudwatch_event_rule" "sold" {
  name          = "shop-terraform-sold"
  event_pattern = jsonencode({ source = ["shop"] })
  tags          = { app = "shop" }
}

resource "aws_cloudwatch_event_target" "sold" {
  rule = aws_cloudwatch_event_rule.sold.name
  arn  = aws_lambda_function.app.arn
}

resource "aws_lambda_permission" "rules" {
  for_each      = { every_minute = aws_cloudwatch_event_rule.every_minute.arn, sold = aws_cloudwatch_event_rule.sold.arn }
  statement_id  = each.key
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.app.function_name
  principal     = "events.amazonaws.com"
  source_arn    = each.value
}

resource "aws_scheduler_schedule" "nightly" {
  name                = "shop-terraform-nightly"
  schedule_expression = "cron(0 3 * * ? *)"
  flexible_time_window { mode = "OFF" }
  target {
    arn      = aws_lambda_function.app.arn
    role_arn = aws_iam_role.app.arn
    input    = jsonencode({ nightly = true })
  }
}

# --- another group's lines, and an alarm

resource "aws_cloudwatch_log_group" "audit" { name = "shop-terraform-audit" }

resource "aws_lambda_permission" "logs" {
  statement_id  = "logs"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.app.function_name
  principal     = "logs.amazonaws.com"
  source_arn    = "${aws_cloudwatch_log_group.audit.arn}:*"
}

resource "aws_cloudwatch_log_subscription_filter" "audit" {
  name            = "audit"
  log_group_name  = aws_cloudwatch_log_group.audit.name
  filter_pattern  = ""
  destination_arn = aws_lambda_function.app.arn
  depends_on      = [aws_lambda_permission.logs]
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "shop-terraform-errors"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 1
  metric_name         = "Errors"
  namespace           = "AWS/Lambda"
  period              = 60
  statistic           = "Sum"
  threshold           = 0
  dimensions          = { FunctionName = aws_lambda_function.app.function_name }
  alarm_actions       = [aws_sns_topic.news.arn]
}

# --- an HTTP API

resource "aws_apigatewayv2_api" "app" {
  name          = "shop-terraform"
  protocol_type = "HTTP"
  tags          = { app = "shop" }
}

resource "aws_apigatewayv2_integration" "app" {
  api_id                 = aws_apigatewayv2_api.app.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.app.invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "app" {
  api_id    = aws_apigatewayv2_api.app.id
  route_key = "GET /hello/{name}"
  target    = "integrations/${aws_apigatewayv2_integration.app.id}"
}

resource "aws_apigatewayv2_stage" "app" {
  api_id      = aws_apigatewayv2_api.app.id
  name        = "$default"
  auto_deploy = true
}

resource "aws_lambda_permission" "http" {
  statement_id  = "http"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.app.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.app.execution_arn}/*/*"
}

# --- a REST API

resource "aws_api_gateway_rest_api" "app" {
  name = "shop-terraform"
  tags = { app = "shop" }
}

resource "aws_api_gateway_resource" "rest" {
  rest_api_id = aws_api_gateway_rest_api.app.id
  parent_id   = aws_api_gateway_rest_api.app.root_resource_id
  path_part   = "rest"
}

resource "aws_api_gateway_resource" "name" {
  rest_api_id = aws_api_gateway_rest_api.app.id
  parent_id   = aws_api_gateway_resource.rest.id
  path_part   = "{name}"
}

resource "aws_api_gateway_method" "get" {
  rest_api_id   = aws_api_gateway_rest_api.app.id
  resource_id   = aws_api_gateway_resource.name.id
  http_method   = "GET"
  authorization = "NONE"
}

resource "aws_api_gateway_integration" "get" {
  rest_api_id             = aws_api_gateway_rest_api.app.id
  resource_id             = aws_api_gateway_resource.name.id
  http_method             = aws_api_gateway_method.get.http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = aws_lambda_function.app.invoke_arn
}

resource "aws_api_gateway_deployment" "app" {
  rest_api_id = aws_api_gateway_rest_api.app.id
  depends_on  = [aws_api_gateway_integration.get]
}

resource "aws_api_gateway_stage" "prod" {
  rest_api_id   = aws_api_gateway_rest_api.app.id
  deployment_id = aws_api_gateway_deployment.app.id
  stage_name    = "prod"
  variables     = { colour = "blue" }
}

resource "aws_lambda_permission" "rest" {
  statement_id  = "rest"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.app.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_api_gateway_rest_api.app.execution_arn}/*/*"
}

output "rest" { value = aws_api_gateway_stage.prod.invoke_url }
output "http" { value = aws_apigatewayv2_api.app.api_endpoint }
output "url" { value = aws_lambda_function_url.app.function_url }
