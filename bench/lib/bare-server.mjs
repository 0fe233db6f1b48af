// The cheapest server that Node can be: answers every chunk that arrives with the same bytes and parses nothing.
// It shows how fast the load generator can go. Prints its port.
import { createServer } from "node:net"

const RESPONSE = Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain;charset=UTF-8\r\n\r\nok")

createServer({ noDelay: true }, (socket) => {
  socket.on("data", () => socket.write(RESPONSE))
  socket.on("error", () => socket.destroy())
}).listen(0, "127.0.0.1", function () {
  console.log(this.address().port)
})
