import type { Principal } from '@rhizome/authz';
import type { InProcessSubgraph } from '@rhizome/subgraph';
import { DomainError } from '@rhizome/errors';
import { endOf } from './cancellation.js';
import type { SubgraphRequest, SubgraphResult, Transport } from './transport.js';

/**
 * Reaches a subgraph of this process: no socket and no serialisation, variables and answers are objects. The
 * subgraph is closed by its creator.
 */
export function createInProcessTransport(subgraph: InProcessSubgraph): Transport {
  return {
    wire: 'objects',
    // The containers of an answer are created for it alone; only scalars may be objects of other code, and
    // the engine does not change those.
    execute: (request) => subgraph.execute(toCall(request)) as Promise<SubgraphResult>,
    subscribe: (request) => subgraph.subscribe(toCall(request)) as AsyncIterable<SubgraphResult>,
    close: async () => {},
  };
}

type Call = Parameters<InProcessSubgraph['execute']>[0];

function toCall(request: SubgraphRequest): Call {
  return new RequestCall(request);
}

/** A request in the form that an in-process subgraph takes. */
class RequestCall implements Call {
  readonly document: Call['document'];
  readonly operationName: string | undefined;
  readonly variables: Call['variables'];
  readonly principal: Principal;
  readonly requestId: string;
  readonly #request: SubgraphRequest;

  constructor(request: SubgraphRequest) {
    this.document = request.operation.document;
    this.operationName = request.operation.operationName;
    this.variables = request.variables;
    this.principal = principalOf(request);
    this.requestId = request.requestId;
    this.#request = request;
  }

  get sharedScope(): string | undefined {
    return this.#request.sharesAnswers ? this.#request.scope : undefined;
  }

  get signal(): AbortSignal | undefined {
    return this.#request.signal;
  }

  isCancelled(): boolean {
    return endOf(this.#request).isCancelled;
  }
}

function principalOf({ principal }: SubgraphRequest): Principal {
  if (principal) return principal;
  throw new DomainError(
    'UNAUTHENTICATED',
    'A subgraph in process needs an authenticated caller; the request has none',
  );
}
