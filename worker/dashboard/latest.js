/**
 * Tells answers apart that come in another order than they were asked for. What it returns is called with each
 * question, and gives a function that says whether no other was asked since.
 */
export function makeLatest() {
  let asked = 0
  return function ask() {
    const own = ++asked
    return () => own === asked
  }
}
