//! The web service as a person runs it: the built program, its answers, a kill.

#![cfg(test)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

/// A running service, which is killed when it is dropped.
struct Service {
    child: Child,
    address: String,
    client: Client,
}

impl Service {
    fn start(folder: &Path) -> Self {
        // The example is built beside the tests.
        let deps = std::env::current_exe().unwrap();
        let program = deps.parent().and_then(Path::parent).unwrap().join("examples/service");
        let mut command = Command::new(program);
        command.arg("127.0.0.1:0").current_dir(folder).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        let address = said.trim().strip_prefix("listening on ").unwrap().to_owned();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { child, address, client }
    }

    async fn order(&self, text: &str) -> (StatusCode, Value) {
        let order = self.client.post(format!("{}/counts", self.address)).body(text.to_owned());
        let answer = order.send().await.unwrap();
        (answer.status(), read(&answer.text().await.unwrap()))
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let answer = self.client.get(format!("{}/counts/{path}", self.address)).send();
        let answer = answer.await.unwrap();
        (answer.status(), read(&answer.text().await.unwrap()))
    }

    /// Asks it to stop, as a service manager does, and waits for its end.
    fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

fn id(order: &Value) -> &str {
    order["id"].as_str().unwrap()
}

#[tokio::test]
async fn an_order_is_taken_told_about_and_handed_out() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(folder.path());
    let (status, order) = service.order("to be or not to be").await;
    assert_eq!((status, &order["state"]), (StatusCode::ACCEPTED, &json!("ready")));
    let counts = json!({ "be": 2, "not": 1, "or": 1, "to": 2 });
    let result = service.get(&format!("{}/result?wait=20", id(&order))).await;
    assert_eq!(result, (StatusCode::OK, counts));
    let (status, state) = service.get(id(&order)).await;
    assert_eq!((status, &state["state"]), (StatusCode::OK, &json!("done")));
    service.stop();
}

#[tokio::test]
async fn what_cannot_be_done_is_told_and_what_is_no_order_too() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(folder.path());
    let (_, order) = service.order("   ").await;
    let (status, told) = service.get(&format!("{}/result?wait=20", id(&order))).await;
    assert_eq!(status, StatusCode::GONE);
    assert!(told["error"].as_str().unwrap().contains("the text has no words"), "{told}");
    let (_, state) = service.get(id(&order)).await;
    assert_eq!(
        (&state["state"], &state["failure"]),
        (&json!("dead"), &json!("the text has no words"))
    );
    let (status, told) = service.get("nothing").await;
    assert_eq!((status, told), (StatusCode::BAD_REQUEST, json!({ "error": "no id of an order" })));
    let (status, _) = service.get("nothing/result?wait=soon").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _) = service.order(&"word ".repeat(200_000)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn an_order_that_was_taken_is_done_although_the_service_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(folder.path());
    let mut orders = Vec::new();
    for number in 0..50 {
        orders.push(service.order(&format!("number {number}")).await.1);
    }
    drop(service);
    let service = Service::start(folder.path());
    for (number, order) in orders.iter().enumerate() {
        let result = service.get(&format!("{}/result?wait=30", id(order))).await;
        assert_eq!(result, (StatusCode::OK, json!({ "number": 1, number.to_string(): 1 })));
    }
}
