import { isPromised } from "../lib/awaitable.js"
import { answersAtOnce, decideTogether, type LimiterCheck, leaveOutReceipt } from "../limiter/decide-all.js"
import { requireDecision } from "../limiter/require-decision.js"
import type { Policy } from "../policy/policy.js"
import type { Decision } from "../types/decision.js"
import type { AllDecision, Awaitable, CheckItem } from "../types/limiter.js"
import { limitHold } from "./limit-hold.js"
import type { Group, GroupAsking, RequestLimiter } from "./request-limiter.js"
import { unasked } from "./unasked.js"
import { withDeadline } from "./with-deadline.js"

/** A check to be made: whom to ask, and for what. */
export interface Question {
  readonly limiter: RequestLimiter
  readonly key: string
  readonly cost: number
  readonly policy: Policy
}

/** What bounds the answers. */
export interface AskOptions {
  readonly timeoutMs: number
  /** The longest time that anything admitted is held; 0 where nothing is. Who can charges nothing for what would be. */
  readonly maxDelayMs: number
}

/** A check on its way, or done. */
export interface PendingCheck {
  readonly limiter: RequestLimiter
  /** Which of the questions it is the answer to. */
  readonly place: number
  readonly answer: Awaitable<Decision>
}

/**
 * Asks one limiter, or several of which all must admit; a denial leaves nothing charged.
 *
 * Limiters in memory decide in one turn, so nothing comes between. Those of one group, or one limiter asked for several
 * keys, decide with `checkAll`. Others, and those that are asked twice for one key, are charged side by side, those
 * whose policy has a `block` after all others and each by itself. What they charged in vain is given back by the
 * caller: until then a concurrent request may be denied that could have passed, never the other way round.
 *
 * @param charges what was asked is added at once, so that it can be given back whatever comes of this call
 * @returns each one's decision, in order
 * @throws {StoreUnavailable} where the answers do not come in time; {RangeError} where one is no decision
 */
export async function askLimits(
  questions: readonly Question[],
  options: AskOptions,
  charges: PendingCheck[],
): Promise<readonly Decision[]> {
  const decisions = await answersOf(questions, options, charges)
  // A limiter of somebody's own that answers something else has failed as one that throws.
  for (const decision of decisions) requireDecision("rate limit", decision)
  return decisions
}

async function answersOf(
  questions: readonly Question[],
  options: AskOptions,
  charges: PendingCheck[],
): Promise<readonly Decision[]> {
  const { timeoutMs, maxDelayMs } = options
  if (maxDelayMs > 0) {
    const held = findHeldInMemory(questions, maxDelayMs)
    if (held) return held
  }
  if (questions.length > 1) {
    const inMemory = askInMemory(questions, charges)
    if (inMemory) return inMemory
    const together = askTogether(questions, options, charges)
    if (together) return (await inTime(together, timeoutMs)).decisions
  }
  if (questions.length > 1 && questions.some(hasBlock)) return askInTurns(questions, options, charges)
  const answers = questions.map((question, place) => startCheck(question, { place, maxDelayMs, charges }))
  // The in-memory limiter answers at once, and then no timer is needed.
  const [only, ...others] = answers
  return others.length === 0 ? [await inTime(only!, timeoutMs)] : inTime(Promise.all(answers), timeoutMs)
}

function hasBlock({ policy }: Question): boolean {
  return policy.blockMs > 0
}

interface StartOptions {
  readonly place: number
  readonly maxDelayMs: number
  readonly charges: PendingCheck[]
}

function startCheck(
  { limiter, key, cost }: Question,
  { place, maxDelayMs, charges }: StartOptions,
): Awaitable<Decision> {
  const answer = answerOf(() => {
    if (maxDelayMs > 0 && limiter.checkWithin) return limiter.checkWithin(key, cost, maxDelayMs)
    return limiter.check(key, { cost })
  })
  charges.push({ limiter, place, answer })
  return answer
}

/**
 * Charges those without a `block` side by side, and when all of them admitted those with one, each after the other:
 * what is charged in vain may deny somebody meanwhile, and would block a key that others share. After a denial nobody
 * else is charged, only looked at, for as long as there is time: a denial is told whatever comes of that.
 */
async function askInTurns(
  questions: readonly Question[],
  options: AskOptions,
  charges: PendingCheck[],
): Promise<readonly Decision[]> {
  const { timeoutMs, maxDelayMs } = options
  const places = [...questions.keys()]
  const alone = places.filter((place) => hasBlock(questions[place]!))
  const turns = [places.filter((place) => !alone.includes(place)), ...alone.map((place) => [place])]
  const told = new Map<number, Decision>()
  let isOver = false
  let isDenied = false

  async function take(turn: readonly number[]): Promise<boolean> {
    const answers = await Promise.all(
      turn.map((place) => startCheck(questions[place]!, { place, maxDelayMs, charges })),
    )
    for (const [index, place] of turn.entries()) {
      requireDecision("rate limit", answers[index])
      told.set(place, answers[index]!)
    }
    return turn.every((place) => isAdmitted(questions[place]!, told.get(place)!, maxDelayMs))
  }

  async function takeAll(): Promise<void> {
    for (const turn of turns) {
      if (isOver || isDenied) return
      isDenied = !(await take(turn))
    }
  }

  async function lookAtOthers(): Promise<void> {
    if (isOver) return
    const others = places.filter((place) => !told.has(place))
    await Promise.all(others.map(async (place) => told.set(place, await lookAt(questions[place]!))))
  }

  try {
    await withDeadline(takeAll().then(lookAtOthers), timeoutMs)
  } catch (error) {
    if (!isDenied) throw error
  } finally {
    // Whoever waits in vain gives back what was charged by then.
    isOver = true
  }
  return questions.map((question, place) => told.get(place) ?? unasked("fail-open", question))
}

/**
 * What a limit would say, to be told beside the denial of another, or that nothing is known of it. It decides nothing,
 * so it never fails.
 */
async function lookAt(question: Question): Promise<Decision> {
  const { limiter, key, cost } = question
  try {
    const decision = await limiter.peek!(key, { cost })
    requireDecision("rate limit", decision)
    return leaveOutReceipt(decision)
  } catch {
    return unasked("fail-open", question)
  }
}

/** Gives back what was charged, be it now or when a late answer tells of it. */
export async function giveBack({ limiter, answer }: PendingCheck): Promise<void> {
  let decision: Decision
  try {
    decision = await answer
  } catch {
    return // The check failed, which is reported already, and so told of no charge.
  }
  if (decision.receipt) await limiter.refund(decision.receipt)
}

/** A thenable may be of RPC, so no instanceof. */
function inTime<T>(answer: Awaitable<T>, timeoutMs: number): Awaitable<T> {
  return isPromised(answer) ? withDeadline(Promise.resolve(answer), timeoutMs) : answer
}

/** What is thrown at once fails as what is thrown later, so that those asked beside it are not forgotten. */
function answerOf<T>(ask: () => Awaitable<T>): Awaitable<T> {
  try {
    return ask()
  } catch (error) {
    const failed = Promise.reject(error)
    failed.catch(() => {})
    return failed
  }
}

function partOf({ limiter, key, cost }: Question): LimiterCheck<RequestLimiter> {
  return { limiter, key, options: { cost } }
}

function isAdmitted({ policy }: Question, decision: Decision, maxDelayMs: number): boolean {
  return limitHold({ policy, decision }, maxDelayMs).decision.allowed
}

/** What limiters in memory say of a request that all admit and one would hold for too long; else `undefined`. */
function findHeldInMemory(questions: readonly Question[], maxDelayMs: number): readonly Decision[] | undefined {
  const parts = questions.map(partOf)
  if (!parts.every(answersAtOnce)) return undefined
  const told = parts.map(({ limiter, key, options }: LimiterCheck) => limiter.peek(key, options))
  if (!told.every(({ allowed }) => allowed)) return undefined
  return told.every((each, place) => isAdmitted(questions[place]!, each, maxDelayMs)) ? undefined : told
}

/** Asks limiters in memory, all in one turn; `undefined` where one of them is not. */
function askInMemory(questions: readonly Question[], charges: PendingCheck[]): readonly Decision[] | undefined {
  const parts = questions.map(partOf)
  if (!parts.every(answersAtOnce)) return undefined
  const { decisions } = decideTogether(parts)
  for (const [place, answer] of decisions.entries()) charges.push({ limiter: questions[place]!.limiter, place, answer })
  return decisions
}

async function askGroup(group: Group, items: readonly CheckItem[], asking: GroupAsking): Promise<AllDecision> {
  for (const limiter of asking.limiters) await limiter.prepare?.()
  return group.checkAll(items, asking)
}

async function askForKeys(limiter: RequestLimiter, items: readonly CheckItem[]): Promise<AllDecision> {
  return limiter.checkAll!(items)
}

/** Asks the one who can decide on all; `undefined` where there is none. */
function askTogether(
  questions: readonly Question[],
  { maxDelayMs }: AskOptions,
  charges: PendingCheck[],
): Promise<AllDecision> | undefined {
  const limiters = questions.map(({ limiter }) => limiter)
  const [one, ...others] = new Set(limiters.map((limiter) => limiter.group ?? limiter))
  if (others.length > 0 || one?.checkAll === undefined) return undefined
  const [limiter] = limiters as [RequestLimiter]
  const { group } = limiter
  // Only a group holds several limits: a limiter alone refuses an item of any other than its own.
  const items = questions.map(({ limiter: { limitName }, key, cost }) => {
    return { key, cost, ...(group && limitName !== undefined && { limit: limitName }) }
  })
  // Two limits that come to one key of one limit, such as that of requests without a key, both charge it.
  const subjects = new Set(items.map(({ limit = "", key }) => `${limit}\n${key}`))
  if (subjects.size < items.length) return undefined
  const answer = group ? askGroup(group, items, { limiters, maxDelayMs }) : askForKeys(limiter, items)
  for (const [place, { limiter }] of questions.entries()) {
    const own = answer.then(({ decisions }) => decisions[place]!)
    own.catch(() => {})
    charges.push({ limiter, place, answer: own })
  }
  return answer
}
