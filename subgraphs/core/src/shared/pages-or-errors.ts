/**
 * Reads the pages of a list together. If that fails, each is read alone: an invalid request is an error of
 * its own entry only.
 */
export async function pagesOrErrors<TRequest, TPage>(
  requests: readonly TRequest[],
  read: (requests: readonly TRequest[]) => Promise<readonly TPage[]>,
): Promise<readonly (TPage | Error | undefined)[]> {
  try {
    return await read(requests);
  } catch {
    const alone = requests.map(async (request) => (await read([request]))[0]);
    return Promise.all(alone.map((page) => page.catch(asError)));
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
