import { type ApiClient, type ClientName, createClient } from '@rhizome/client';
import {
  type AddWorkflowNodesInput,
  PilotAddWorkflowNodesDocument,
  PilotCompleteWorkUnitsDocument,
  PilotExtendWorkUnitsDocument,
  PilotFailWorkUnitsDocument,
  PilotLeaseWorkUnitsDocument,
} from '../operations.generated.js';
import { sorted } from './call-errors.js';
import { CoreRefused } from './core-protocol.js';
import type {
  LeasedWorkUnits,
  NodesToAdd,
  UnitCalls,
  UnitCompletion,
  UnitFailure,
  UnitLeaseRequest,
  UnitReport,
  UnitReportAnswer,
  UnitReportError,
} from './unit-calls.js';

/** Address of GraphQL, and the token of an attempt. */
export interface GraphqlUnitsOptions {
  readonly url: string;
  /** Called before each request: the token is renewed while the attempt runs. */
  readonly token: () => string;
  readonly client: ClientName;
}

/** The caller decides about further repetitions. */
const retry = { attempts: 1, initialDelayMs: 20, maxDelayMs: 100 };
const responseTimeoutMs = 30_000;
/** Calls that wait for units, and as many reports. */
const connections = 32;

interface ReportAnswer {
  readonly acceptedIds: readonly string[];
  readonly userErrors: readonly UnitReportError[];
}

/** Work units through the gateway's GraphQL API. */
export class GraphqlUnits implements UnitCalls {
  readonly #client: ApiClient;

  constructor({ url, token, client }: GraphqlUnitsOptions) {
    this.#client = createClient({ url, token, client, retry, connections, timeoutMs: responseTimeoutMs });
  }

  async lease(request: UnitLeaseRequest, signal: AbortSignal): Promise<LeasedWorkUnits> {
    const timeoutMs = responseTimeoutMs + (request.waitSeconds ?? 0) * 1000;
    const options = { idempotent: false, signal, timeoutMs };
    const { leaseWorkUnits } = await answered(signal, () =>
      this.#client.mutate(PilotLeaseWorkUnitsDocument, { input: { ...request } }, options),
    );
    const { units, isDrained, leaseSeconds, userErrors } = leaseWorkUnits;
    const [first] = userErrors;
    if (first !== undefined) throw new CoreRefused(first.code, first.message);
    return { units, isDrained, leaseSeconds: leaseSeconds ?? 0 };
  }

  async complete(units: readonly UnitCompletion[], signal: AbortSignal): Promise<UnitReportAnswer> {
    const { completeWorkUnits } = await answered(signal, () =>
      this.#client.mutate(
        PilotCompleteWorkUnitsDocument,
        { input: { units: [...units] } },
        repeatable(signal),
      ),
    );
    return answerOf(completeWorkUnits);
  }

  async fail(units: readonly UnitFailure[], signal: AbortSignal): Promise<UnitReportAnswer> {
    const { failWorkUnits } = await answered(signal, () =>
      this.#client.mutate(PilotFailWorkUnitsDocument, { input: { units: [...units] } }, repeatable(signal)),
    );
    return answerOf(failWorkUnits);
  }

  async extend(units: readonly UnitReport[], signal: AbortSignal): Promise<UnitReportAnswer> {
    const { extendWorkUnits } = await answered(signal, () =>
      this.#client.mutate(PilotExtendWorkUnitsDocument, { input: { units: [...units] } }, repeatable(signal)),
    );
    return answerOf(extendWorkUnits);
  }

  async addNodes({ idempotencyKey, nodes }: NodesToAdd, signal: AbortSignal): Promise<number> {
    // Core checks the nodes against the schema.
    const input = { idempotencyKey, nodes: [...nodes] as AddWorkflowNodesInput['nodes'] };
    const { addWorkflowNodes } = await answered(signal, () =>
      this.#client.mutate(PilotAddWorkflowNodesDocument, { input }, repeatable(signal)),
    );
    const [first] = addWorkflowNodes.userErrors;
    if (first !== undefined) throw new CoreRefused(first.code, first.message);
    return addWorkflowNodes.nodeCount ?? 0;
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

const repeatable = (signal: AbortSignal) => ({ idempotent: true, signal });

function answerOf({ acceptedIds, userErrors }: ReportAnswer): UnitReportAnswer {
  const errors = userErrors.map(({ code, message, path }) => ({ code, message, path }));
  return { acceptedIds, errors };
}

async function answered<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    signal.throwIfAborted();
    throw sorted(error, false);
  }
}
