import type { Principal } from '@rhizome/authz';
import type { InProcessSubgraph } from '@rhizome/subgraph';
import { DomainError } from '@rhizome/errors';
import type { SubgraphRequest, SubgraphResult, Transport } from './transport.js';

/**
 * Reaches a subgraph of this process: no socket and no serialisation, variables and answers are objects. The subgraph
 * is closed by whoever made it.
 */
export function createInProcessTransport(subgraph: InProcessSubgraph): Transport {
  return {
    wire: 'objects',
    // The containers of an answer are made for it alone; only scalars may be somebody's objects, and the engine leaves
    // those as they are.
    execute: (request) => subgraph.execute(toCall(request)) as Promise<SubgraphResult>,
    subscribe: (request) => subgraph.subscribe(toCall(request)) as AsyncIterable<SubgraphResult>,
    close: async () => {},
  };
}

function toCall(request: SubgraphRequest): Parameters<InProcessSubgraph['execute']>[0] {
  const { operation, variables, requestId, cancellation } = request;
  return {
    document: operation.document,
    operationName: operation.operationName,
    variables,
    principal: principalOf(request),
    requestId,
    isCancelled: cancellation && (() => cancellation.isCancelled),
    get signal() {
      return request.signal;
    },
  };
}

function principalOf({ principal }: SubgraphRequest): Principal {
  if (principal) return principal;
  throw new DomainError(
    'UNAUTHENTICATED',
    'A subgraph in process needs to know who asks; the request has no identity',
  );
}
