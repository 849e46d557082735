/** For tests: a client that loses its connection at a chosen moment. */
import { type ApiClient, RhizomeApiError } from '@rhizome/client';

/** When mutations are lost: before the server sees them, or with their answers. */
export type Loss = 'request' | 'answer';

/** Passes everything through, but fails to read one thing, by its id. */
export function blindFor(client: ApiClient, id: string): ApiClient {
  return {
    ...losing(client, 'request', Infinity),
    query: (document, variables, call) =>
      (variables as { readonly id?: string } | undefined)?.id === id
        ? Promise.reject(new RhizomeApiError({ code: 'INTERNAL', message: 'the answer is too large' }))
        : client.query(document, variables, call),
  };
}

/** Passes everything through, but loses mutations: each, or all after the first ones. */
export function losing(client: ApiClient, loss: Loss, after = 0): ApiClient {
  let sent = 0;
  return {
    query: (document, variables, call) => client.query(document, variables, call),
    execute: (document, variables, call) => client.execute(document, variables, call),
    subscribe: (document, variables, call) => client.subscribe(document, variables, call),
    subscribeResumable: (document, variables, call) => client.subscribeResumable(document, variables, call),
    close: () => client.close(),
    mutate: async (document, variables, call) => {
      sent += 1;
      if (sent <= after) return client.mutate(document, variables, call);
      if (loss === 'answer') await client.mutate(document, variables, call);
      throw new RhizomeApiError({ code: 'SERVICE_UNAVAILABLE', message: 'the connection was lost' });
    },
  };
}
