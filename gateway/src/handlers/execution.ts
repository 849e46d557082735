import type { Logger } from '@rhizome/log';
import {
  type CallEnd,
  type Cancellation,
  endOf,
  type Engine,
  type ExecutionText,
  type OperationInfo,
  throwIfEnded,
} from '@rhizome/federation';
import { InFlight } from '@rhizome/subgraph';
import { callerOf, refusal } from '../policy/index.js';
import type { AuditRecorder, Recording } from '../audit/index.js';
import type { SharedReads } from '../streams/index.js';
import type { GatewayMetrics } from './metrics.js';
import type { TracedRequest } from './operation-request.js';

/** Options of {@link Execution}. */
export interface ExecutionOptions {
  readonly reads: SharedReads;
  readonly metrics: GatewayMetrics;
  readonly log: Logger;
  /** Records calls; undefined if there is no audit log. */
  readonly audit?: AuditRecorder | undefined;
}

/** Runs queries and mutations that were admitted: shares equal reads, records calls, and counts answers. */
export class Execution {
  readonly #options: ExecutionOptions;
  readonly #running = new InFlight();

  constructor(options: ExecutionOptions) {
    this.#options = options;
  }

  /** Number of running queries and mutations. */
  get running(): number {
    return this.#running.count;
  }

  /** Resolves when nothing runs, or after `withinMs`. */
  async idle(withinMs: number): Promise<void> {
    await this.#running.idle(withinMs);
  }

  /** Runs a query or a mutation. Rejects only with the reason that ended the request. */
  async run(engine: Engine, operation: OperationInfo, request: TracedRequest): Promise<ExecutionText> {
    const started = performance.now();
    const end = endOf(request);
    this.#running.enter();
    let answer: ExecutionText;
    let recording: Recording | undefined;
    try {
      const intent = this.#options.audit?.begin(operation, request);
      if (intent) recording = await intent;
      answer = await this.#answer(engine, operation, request, end);
    } catch (error) {
      // Unexpected errors become a response as well; only the request's end passes.
      if (end.isCancelled) recording?.cancel();
      throwIfEnded(end);
      answer = refusal(error, request.requestId, this.#options.log);
    } finally {
      this.#running.leave();
    }
    this.#options.metrics.answered(answer, (performance.now() - started) / 1000);
    if (recording) recording.end(answer);
    else if (answer.codes.length > 0) this.#options.audit?.refused(request, answer.codes, operation);
    return answer;
  }

  #answer(
    engine: Engine,
    operation: OperationInfo,
    request: TracedRequest,
    end: CallEnd,
  ): Promise<ExecutionText> {
    const { query, operationName, variables, principal, requestId, headers, trace, withoutTags } = request;
    const caller = callerOf(principal, operation.kind === 'mutation' || operation.perPrincipal);
    const { scope } = caller;
    const { waitMs } = request;
    // Written out: spreading objects would cost as much as several steps of a plan.
    const execute = (signal: AbortSignal | undefined, cancellation: Cancellation | undefined) =>
      engine.execute({
        query,
        operationName,
        variables,
        principal: caller.principal,
        scope,
        requestId,
        headers,
        trace,
        withoutTags,
        waitMs,
        signal,
        cancellation,
      });
    if (operation.kind === 'mutation')
      return execute(request.signal, request.cancellation).finally(() =>
        this.#options.reads.closeToNewReaders(),
      );
    if (operation.kind !== 'query' || trace) return execute(request.signal, request.cancellation);
    const view = withoutTags ? `\n# without ${JSON.stringify(withoutTags)}` : '';
    const key = { document: operation.normalisedText + view, variables, scope };
    const { answer, shared } = this.#options.reads.read(key, end, (cancellation) =>
      execute(undefined, cancellation),
    );
    return shared ? answer.finally(() => this.#options.metrics.readShared()) : answer;
  }
}
