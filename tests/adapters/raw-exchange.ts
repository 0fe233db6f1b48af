import { connect } from "node:net"

/** All that the server sends for what is written on one connection, until either side ends it. */
export function exchange(url: string, ...sent: (string | Buffer)[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1")
    let received = ""
    socket.setEncoding("latin1")
    socket.on("data", (chunk) => {
      received += chunk
    })
    socket.on("error", reject)
    socket.on("close", () => resolve(received))
    for (const each of sent) socket.write(each)
  })
}
