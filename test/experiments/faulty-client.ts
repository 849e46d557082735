/** For tests: a client that loses its connection at a chosen moment. */
import { type ApiClient, RhizomeApiError } from '@rhizome/client';

/** When mutations are lost: before the server sees them, or with their answers. */
export type Loss = 'request' | 'answer';

/** Passes everything through, but loses each mutation. */
export function losing(client: ApiClient, loss: Loss): ApiClient {
  return {
    query: (document, variables, call) => client.query(document, variables, call),
    execute: (document, variables, call) => client.execute(document, variables, call),
    subscribe: (document, variables, call) => client.subscribe(document, variables, call),
    subscribeResumable: (document, variables, call) => client.subscribeResumable(document, variables, call),
    close: () => client.close(),
    mutate: async (document, variables, call) => {
      if (loss === 'answer') await client.mutate(document, variables, call);
      throw new RhizomeApiError({ code: 'SERVICE_UNAVAILABLE', message: 'the connection was lost' });
    },
  };
}
