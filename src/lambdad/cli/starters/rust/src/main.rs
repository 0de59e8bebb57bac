use lambda_runtime::{run, service_fn, Error, LambdaEvent};
use serde_json::{json, Value};

async fn handle(request: LambdaEvent<Value>) -> Result<Value, Error> {
    let name = request.payload["name"].as_str().unwrap_or("world");
    println!("greeting {name} in request {}", request.context.request_id);
    Ok(json!({ "greeting": format!("Hello, {name}!") }))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    // What stands here runs once for each environment, before its first event.
    run(service_fn(handle)).await
}
