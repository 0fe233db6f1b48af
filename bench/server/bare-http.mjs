// Node's own HTTP server, answering "ok" to whatever comes: what a server on Node can reach. Prints its port.
import { createServer } from "node:http"

createServer((request, response) => {
  request.resume()
  response.writeHead(200, { "Content-Type": "text/plain", "Content-Length": 2 })
  response.end("ok")
}).listen(0, "127.0.0.1", function () {
  console.log(this.address().port)
})
