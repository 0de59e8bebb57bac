# Apart from the rest, because the provider waits up to half a minute for these to settle.

resource "aws_sqs_queue" "dead" { name = "shop-terraform-dead" }

resource "aws_sqs_queue" "work" {
  name                       = "shop-terraform-work"
  visibility_timeout_seconds = 60
  redrive_policy             = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead.arn, maxReceiveCount = 3 })
  tags                       = { app = "shop" }
}

resource "aws_lambda_event_source_mapping" "queue" {
  event_source_arn = aws_sqs_queue.work.arn
  function_name    = aws_lambda_function.app.arn
  batch_size       = 5
}

resource "aws_lambda_function_event_invoke_config" "app" {
  function_name          = aws_lambda_function.app.function_name
  maximum_retry_attempts = 1
  destination_config {
    on_failure { destination = aws_sqs_queue.dead.arn }
  }
}

resource "aws_kinesis_stream" "clicks" {
  name        = "shop-terraform-clicks"
  shard_count = 1
  tags        = { app = "shop" }
}

resource "aws_lambda_event_source_mapping" "clicks" {
  event_source_arn  = aws_kinesis_stream.clicks.arn
  function_name     = aws_lambda_function.app.arn
  starting_position = "TRIM_HORIZON"
}

resource "aws_s3_bucket_lifecycle_configuration" "uploads" {
  bucket = aws_s3_bucket.uploads.id
  rule {
    id     = "old"
    status = "Enabled"
    filter { prefix = "tmp/" }
    expiration { days = 3 }
  }
}
