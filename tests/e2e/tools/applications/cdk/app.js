// One function with the triggers that people give to functions.
'use strict';
const cdk = require('aws-cdk-lib');
const apigateway = require('aws-cdk-lib/aws-apigateway');
const apigatewayv2 = require('aws-cdk-lib/aws-apigatewayv2');
const integrations = require('aws-cdk-lib/aws-apigatewayv2-integrations');
const dynamodb = require('aws-cdk-lib/aws-dynamodb');
const events = require('aws-cdk-lib/aws-events');
const targets = require('aws-cdk-lib/aws-events-targets');
const kinesis = require('aws-cdk-lib/aws-kinesis');
const lambda = require('aws-cdk-lib/aws-lambda');
const sources = require('aws-cdk-lib/aws-lambda-event-sources');
const logs = require('aws-cdk-lib/aws-logs');
const destinations = require('aws-cdk-lib/aws-logs-destinations');
const s3 = require('aws-cdk-lib/aws-s3');
const notifications = require('aws-cdk-lib/aws-s3-notifications');
const sns = require('aws-cdk-lib/aws-sns');
const subscriptions = require('aws-cdk-lib/aws-sns-subscriptions');
const sqs = require('aws-cdk-lib/aws-sqs');

const gone = cdk.RemovalPolicy.DESTROY;

class Shop extends cdk.Stack {
  constructor(scope, id) {
    super(scope, id, { stackName: 'shop-cdk', tags: { app: 'shop' } });
    const logGroup = new logs.LogGroup(this, 'Log', {
      logGroupName: '/aws/lambda/shop-cdk', removalPolicy: gone,
    });
    const app = new lambda.Function(this, 'App', {
      functionName: 'shop-cdk',
      runtime: new lambda.Runtime(process.env.RUNTIME, lambda.RuntimeFamily.PYTHON),
      handler: 'index.handler',
      code: lambda.Code.fromAsset('app'),
      timeout: cdk.Duration.seconds(20),
      environment: { GREETING: process.env.GREETING || 'hello' },
      logGroup,
    });
    const live = new lambda.Alias(this, 'Live', { aliasName: 'live', version: app.currentVersion });
    live.addFunctionUrl({ authType: lambda.FunctionUrlAuthType.NONE });

    const uploads = new s3.Bucket(this, 'Uploads', {
      bucketName: 'shop-cdk-uploads', removalPolicy: gone, autoDeleteObjects: true,
    });
    uploads.addEventNotification(
      s3.EventType.OBJECT_CREATED, new notifications.LambdaDestination(app), { prefix: 'in/' });
    const work = new sqs.Queue(this, 'Work', {
      queueName: 'shop-cdk-work', visibilityTimeout: cdk.Duration.seconds(60),
    });
    app.addEventSource(new sources.SqsEventSource(work, { batchSize: 5 }));
    const news = new sns.Topic(this, 'News', { topicName: 'shop-cdk-news' });
    news.addSubscription(new subscriptions.LambdaSubscription(app));
    const orders = new dynamodb.Table(this, 'Orders', {
      tableName: 'shop-cdk-orders',
      partitionKey: { name: 'id', type: dynamodb.AttributeType.STRING },
      stream: dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
      removalPolicy: gone,
    });
    const start = { startingPosition: lambda.StartingPosition.TRIM_HORIZON };
    app.addEventSource(new sources.DynamoEventSource(orders, start));
    const clicks = new kinesis.Stream(this, 'Clicks', {
      streamName: 'shop-cdk-clicks', shardCount: 1, removalPolicy: gone,
    });
    app.addEventSource(new sources.KinesisEventSource(clicks, start));
    new events.Rule(this, 'Minutely', {
      schedule: events.Schedule.rate(cdk.Duration.minutes(1)),
      targets: [new targets.LambdaFunction(app)],
    });
    new events.Rule(this, 'Sold', {
      eventPattern: { source: ['shop'] }, targets: [new targets.LambdaFunction(app)],
    });
    const audit = new logs.LogGroup(this, 'Audit', {
      logGroupName: 'shop-cdk-audit', removalPolicy: gone,
    });
    audit.addSubscriptionFilter('All', {
      destination: new destinations.LambdaDestination(app),
      filterPattern: logs.FilterPattern.allEvents(),
    });
    const http = new apigatewayv2.HttpApi(this, 'Http', { apiName: 'shop-cdk' });
    http.addRoutes({
      path: '/hello/{name}',
      methods: [apigatewayv2.HttpMethod.GET],
      integration: new integrations.HttpLambdaIntegration('HttpApp', app),
    });
    const rest = new apigateway.RestApi(this, 'Rest', { restApiName: 'shop-cdk', cloudWatchRole: false });
    rest.root.addResource('rest').addResource('{name}')
      .addMethod('GET', new apigateway.LambdaIntegration(app));
    new cdk.CfnOutput(this, 'RestAddress', { value: rest.url });
    new cdk.CfnOutput(this, 'Address', { value: http.apiEndpoint });
  }
}

new Shop(new cdk.App(), 'Shop');
