import type { Cancellation } from './cancellation.js';
import type { SubgraphRequest } from './transport.js';

/** The request with another end. */
export function endedBy(
  request: Omit<SubgraphRequest, 'signal'>,
  cancellation: Cancellation,
): SubgraphRequest {
  return new EndedRequest(request, cancellation);
}

/** A class: an object literal with a getter costs more than the rest of an in-process call. */
class EndedRequest implements SubgraphRequest {
  readonly operation: SubgraphRequest['operation'];
  readonly variablesText: SubgraphRequest['variablesText'];
  readonly variables: SubgraphRequest['variables'];
  readonly principal: SubgraphRequest['principal'];
  readonly scope: string;
  readonly requestId: string;
  readonly headers: SubgraphRequest['headers'];
  readonly waitMs: SubgraphRequest['waitMs'];
  readonly cancellation: Cancellation;

  constructor(request: Omit<SubgraphRequest, 'signal'>, cancellation: Cancellation) {
    this.operation = request.operation;
    this.variablesText = request.variablesText;
    this.variables = request.variables;
    this.principal = request.principal;
    this.scope = request.scope;
    this.requestId = request.requestId;
    this.headers = request.headers;
    this.waitMs = request.waitMs;
    this.cancellation = cancellation;
  }

  get signal(): AbortSignal {
    return this.cancellation.signal;
  }
}
