import type { Socket } from "node:net"
import { type Backlog, type Backlogged, REQUEST_BYTES } from "./backlog.node.js"
import { NodeRequest } from "./node-request.node.js"
import type { UnreadableRequest } from "./unreadable-request.node.js"

/** How long a client may go on sending what nobody reads any more, once it was told that the connection is closed. */
const LINGER_MS = 1_000

/** While more bytes of answers than this wait to be sent, no further answer is made. A single one may be longer. */
const MAX_UNSENT_BYTES = 65_536
/** About what the first line and the header fields of an answer are. */
const ANSWER_HEAD_BYTES = 256
/** While the requests that are not answered yet take more than this, no more of them are read: about 200 short ones. */
const MAX_BACKLOG_BYTES = 1_048_576

export type IncomingRequest = NodeRequest | UnreadableRequest

/**
 * A connection. It answers one request after the other (RFC 9112, section 9.3.2), since each may change what the next
 * is answered. For a client that does not read its answers it makes no more of them until those are sent.
 *
 * It ends in stages (section 9.6). The answers are sent, the last of which says that nothing follows; then what the
 * client still sends is read and dropped, until the client closes its side too or the time is up. Were it closed at
 * once with something unread, the kernel would reset it, and the client could lose an answer that it had not read yet.
 */
export class Connection implements Backlogged {
  readonly #socket: Socket
  readonly #answer: (asked: IncomingRequest, connection: Connection) => Promise<void>
  readonly #backlog: Backlog
  readonly #waiting: IncomingRequest[] = []
  #isAnswering = false
  #isLast = false
  #isEnding = false
  #isDropping = false
  /** Whether the next answer waits until those before are sent. */
  #isHeld = false
  /** Whether it reads nothing, as too much waits already. */
  #isPaused = false
  /** How many requests have come, at least to the end of their heads, whose answers are not sent yet. */
  #open = 0
  #backlogBytes = 0
  /** How much had been read when at most one was open. */
  #bytesBefore = 0
  /** How much has been read since then, up to the last head. */
  #bytesAhead = 0
  /** How many answers are on their way to the socket: Node hands one on when the one before is sent. */
  #unsent = 0
  /** How long the answers are that were made since the last time all of them were sent. */
  #unsentBytes = 0
  #lastWords = ""
  #last: NodeRequest | null = null
  #bytesSeen = -1

  /**
   * @param answer answers what was asked, and tells `next` when it has
   * @param backlog where its requests are counted, with those of other connections
   */
  constructor(
    socket: Socket,
    answer: (asked: IncomingRequest, connection: Connection) => Promise<void>,
    backlog: Backlog,
  ) {
    this.#socket = socket
    this.#answer = answer
    this.#backlog = backlog
    // What Node calls after a last answer. It would close at once.
    socket.destroySoon = () => this.end()
    // Node reads on by itself after each answer, where it had stopped too.
    socket.on("resume", () => {
      if (!this.#mayRead) this.#pause()
    })
    socket.once("close", () => this.#noteBacklog(0))
    if (!this.#mayRead) this.#pause()
  }

  /** The request whose body is still on its way, `null` where there is none. */
  get unfinished(): NodeRequest | null {
    return this.#last === null || this.#last.incoming.complete ? null : this.#last
  }

  /** Whether nothing more is answered than what is being answered. */
  get isLast(): boolean {
    return this.#isLast
  }

  /** Whether something waits behind what is being answered. */
  get hasMore(): boolean {
    return this.#waiting.length > 0
  }

  get backlogBytes(): number {
    return this.#backlogBytes
  }

  get waitsForClient(): boolean {
    // However short: where the system takes no more of them, 64 KB of answers can be those of hundreds of requests.
    return this.#unsent > 0 || this.#isLast
  }

  /** Notes a request at its head, before its turn: one read brings many, and others may be read in the same turn. */
  noteHead(request: NodeRequest): void {
    this.#last = request
    this.#open++
    this.#bytesAhead = this.#socket.bytesRead - this.#bytesBefore
    this.#countOpen()
    if (this.#isLast) this.#dropAll()
    else if (this.#backlogBytes > MAX_BACKLOG_BYTES && !this.#isPaused) {
      this.#isPaused = true
      this.#pause()
    }
  }

  /**
   * The bytes of one request cannot be told from those of the next, so they count until at most one is open. That one
   * counts without its bytes: a body that it waits for must not keep the backlog full, as it is not read then.
   */
  #countOpen(): void {
    this.#noteBacklog(this.#open * REQUEST_BYTES + (this.#open > 1 ? this.#bytesAhead : 0))
  }

  #noteBacklog(bytes: number): void {
    const added = bytes - this.#backlogBytes
    this.#backlogBytes = bytes
    this.#backlog.add(added)
  }

  get #mayRead(): boolean {
    return !this.#isPaused && !this.#backlog.isFull
  }

  readOrPause(): void {
    if (this.#mayRead) this.#socket.resume()
    else this.#pause()
  }

  #pause(): void {
    // Where it is paused already but was about to go on, only the event makes Node stop.
    if (this.#socket.isPaused()) this.#socket.emit("pause")
    else this.#socket.pause()
  }

  destroy(): void {
    this.#noteBacklog(0)
    this.#socket.destroy()
  }

  /**
   * Reads on and looks at nothing any more: nobody would answer it, and Node keeps all requests of a connection until
   * it is closed. What came before is whole, since another head has come.
   */
  #dropAll(): void {
    if (this.#isDropping) return
    this.#isDropping = true
    const socket = this.#socket
    const drop = () => {}
    // Node's parser takes the bytes before anybody sees them, until somebody listens.
    socket.on("data", drop)
    for (const listener of socket.listeners("data")) {
      if (listener !== drop) socket.off("data", listener as () => void)
    }
    socket.resume()
  }

  take(asked: IncomingRequest): void {
    if (this.#isLast) {
      // Nobody would hear the answer, so it is not done either.
      if (asked instanceof NodeRequest) asked.incoming.resume()
      return
    }
    if (this.#isAnswering) {
      this.#waiting.push(asked)
      return
    }
    this.#isAnswering = true
    void this.#answer(asked, this)
  }

  next(): void {
    if (this.#last?.incoming.complete) this.#last = null
    if (this.#unsentBytes > MAX_UNSENT_BYTES && this.#unsent > 0) {
      this.#isHeld = true
      return
    }
    const asked = this.#waiting.shift()
    if (asked === undefined) this.#isAnswering = false
    else void this.#answer(asked, this)
  }

  #resume(): void {
    this.#isPaused = false
    this.readOrPause()
  }

  /** Answers nothing more than what is being answered. */
  answerNoMore(): void {
    this.#isLast = true
    for (const asked of this.#waiting.splice(0)) if (asked instanceof NodeRequest) asked.incoming.resume()
    if (this.#isPaused) this.#resume()
  }

  /** Notes that an answer is about to be sent, whose body is so long. @returns tells that it was */
  noteSending(bytes: number): () => void {
    if (this.#unsent === 0) this.#unsentBytes = 0
    this.#unsentBytes += bytes + ANSWER_HEAD_BYTES
    this.#unsent++
    return this.#noteSent
  }

  readonly #noteSent = () => {
    this.#unsent--
    this.#noteAnswered()
    if (this.#unsent > 0) return
    if (this.#isEnding) this.#shut()
    if (!this.#isHeld) return
    this.#isHeld = false
    // In a turn of its own: one who reads fast and asks for much shares the server with the others.
    setImmediate(() => this.next())
  }

  #noteAnswered(): void {
    // What was counted may be gone already, with the connection.
    if (this.#socket.destroyed) return
    this.#open--
    if (this.#open <= 1) this.#bytesBefore = this.#socket.bytesRead
    this.#countOpen()
    if (this.#isPaused && this.#open <= 1) this.#resume()
  }

  /** Ends it once what was answered is sent, and some last words. */
  end(lastWords = ""): void {
    this.answerNoMore()
    if (this.#isEnding) return
    this.#isEnding = true
    this.#lastWords = lastWords
    if (this.#unsent === 0) this.#shut()
  }

  #shut(): void {
    const socket = this.#socket
    socket.end(this.#lastWords, () => {
      const patience = setTimeout(() => socket.destroy(), LINGER_MS)
      socket.once("close", () => clearTimeout(patience))
    })
  }

  /**
   * Ends it where nothing is being answered, and nothing has come since this was last asked, though it would be read.
   */
  endIfQuiet(): void {
    if (this.#isAnswering) return
    const { bytesRead } = this.#socket
    if (!this.#mayRead) this.#bytesSeen = -1
    else if (bytesRead === this.#bytesSeen) this.end()
    else this.#bytesSeen = bytesRead
  }

  /** Gives who reads none of the answers that wait for him a time for it; asked now and then. */
  limitUnread(unreadMs: number): void {
    if ((this.#unsent > 0 || this.#isEnding) && !this.#socket.timeout) this.#socket.setTimeout(unreadMs)
  }

  /** Ends it when its time is up: of being silent, or of reading nothing, and then at once. */
  timeOut(): void {
    if (this.#unsent > 0 || this.#isEnding) this.#socket.destroy()
    // What was unread has been read meanwhile, and something else is being answered.
    else if (!this.#isAnswering) this.end()
  }
}
