/** A client whose address is known only once the gateway listens. */
import type { ApiClient } from '@rhizome/client';

/** Makes the client at its first use. */
export function lazyClient(make: () => ApiClient): ApiClient {
  let made: ApiClient | undefined;
  const client = () => (made ??= make());
  return {
    query: (document, variables, call) => client().query(document, variables, call),
    mutate: (document, variables, call) => client().mutate(document, variables, call),
    execute: (document, variables, call) => client().execute(document, variables, call),
    subscribe: (document, variables, call) => client().subscribe(document, variables, call),
    subscribeResumable: (document, variables, call) => client().subscribeResumable(document, variables, call),
    close: async () => made?.close(),
  };
}
