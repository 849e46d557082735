/**
 * Waits for a promise for a limited time; the timer does not outlive the wait.
 * @returns true if the promise is fulfilled in time, false otherwise; rejects if it rejects in time
 */
export async function fulfilsWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => (timer = setTimeout(resolve, ms, false)));
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
