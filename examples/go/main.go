package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Name string `json:"name"`
}

type answer struct {
	Greeting string `json:"greeting"`
}

func handle(ctx context.Context, e event) (answer, error) {
	if e.Name == "" {
		e.Name = "world"
	}
	request, _ := lambdacontext.FromContext(ctx)
	fmt.Printf("greeting %s in request %s\n", e.Name, request.AwsRequestID)
	return answer{Greeting: fmt.Sprintf("Hello, %s!", e.Name)}, nil
}

func main() {
	// What stands here runs once for each environment, before its first event.
	lambda.Start(handle)
}
