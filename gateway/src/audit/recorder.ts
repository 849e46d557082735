/** Records calls of the gateway's clients in the audit log. */
import type { AuditActor, AuditCall, CallResult, OpenedAudit, RecordedCall } from '@rhizome/audit';
import type { Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import type { ExecutionText, OperationInfo } from '@rhizome/federation';
import { Refusals } from './refusals.js';
import { isRefusal, resultsOf } from './results.js';
import { argumentsOf, isIncluded, type RootField, rootFieldsOf, type Variables } from '../policy/index.js';
import { experimentOf, identifiersIn, reasonOf, targetsOf, withoutSecrets } from './targets.js';

/** The recorded part of a request. */
export interface AuditedRequest {
  readonly principal: Principal | undefined;
  readonly requestId: string;
  readonly client: { readonly name: string; readonly version: string };
  /** Address of the client. */
  readonly address?: string | undefined;
  readonly variables?: Variables | undefined;
}

/** A login, a logout or an exchange of a token. */
export interface AuditedLogin {
  readonly action: string;
  /** Null if the caller is unknown. */
  readonly actor: AuditActor | null;
  /** Reasons of a refusal; empty for a success. */
  readonly codes: readonly string[];
  /** True for a request that waits for a decision. */
  readonly isPending?: boolean;
  /** Identifiers and names that it concerns. */
  readonly targets?: readonly string[];
  readonly experiment?: string;
  readonly requestId: string;
  readonly client: { readonly name: string; readonly version: string };
  readonly address: string;
}

/** An operation whose intent is recorded. */
export interface Recording {
  /** Records the outcome. */
  end(answer: ExecutionText): void;
  /** Records that a stream was opened. */
  opened(): void;
  /** Records that the client ended the request. */
  cancel(): void;
}

/**
 * Mutations of workers and their payloads that are not recorded: they are most of all calls, and jobs and
 * units keep their states. Those of other principals are recorded.
 */
const workerReports: ReadonlySet<string> = new Set([
  'Mutation.heartbeat',
  'Mutation.acquireJobs',
  'Mutation.startJobs',
  'Mutation.finishJobs',
  'Mutation.failJobs',
  'Mutation.reportCheckpoints',
  'Mutation.signJobFiles',
  'Mutation.appendJobLog',
  'Mutation.leaseWorkUnits',
  'Mutation.completeWorkUnits',
  'Mutation.failWorkUnits',
  'Mutation.extendWorkUnits',
]);

const noTargets = { count: 0, ids: [], fields: [], digest: null } as const;

/** Records mutations, calls of agents, and refusals. */
export class AuditRecorder {
  readonly #audit: Pick<OpenedAudit, 'log' | 'digestKey'>;
  readonly #refusals: Refusals;

  constructor(audit: Pick<OpenedAudit, 'log' | 'digestKey'>, clock: Clock) {
    this.#audit = audit;
    this.#refusals = new Refusals({
      clock,
      record: ({ call, result, codes }) => audit.log.recordLater(call, { result, codes }),
    });
  }

  /**
   * Stores the intents of an operation, one for each call; undefined for an operation that is not recorded.
   * Calls of workers do not wait for it.
   * @throws DomainError SERVICE_UNAVAILABLE if it cannot be stored
   */
  begin(operation: OperationInfo, request: AuditedRequest): Promise<Recording> | undefined {
    const fields = this.#recordedFields(operation, request);
    return fields.length === 0 ? undefined : this.#begin(fields, request, operation.kind);
  }

  /** Records that an operation was refused, if it was. `operation` is undefined for one that is not known. */
  refused(request: AuditedRequest, codes: readonly string[], operation?: OperationInfo): void {
    if (!isRefusal(codes)) return;
    const fields = operation ? rootFieldsOf(operation) : [];
    const action = fields[0]?.action ?? 'gateway.request';
    const targets = { ...noTargets, count: 1, fields: fields.map((one) => one.action).slice(0, 50) };
    const call = callOf('REFUSAL', action, request, null);
    this.#refusals.add({ call: { ...call, targets }, result: 'REFUSED', codes });
  }

  /** Records a login, a logout or an exchange of a token; refused ones as other refusals. */
  login(login: AuditedLogin): void {
    const { action, actor, codes, requestId, client, address, isPending = false } = login;
    const call: AuditCall = {
      ...{ kind: 'LOGIN', action, actor, experiment: login.experiment ?? null, requestId, repeats: 1 },
      client: { ...client, address },
      targets: { ...noTargets, count: 1, ids: identifiersIn(login.targets ?? []) },
    };
    if (isPending) this.#refusals.add({ call, result: 'PENDING', codes });
    else if (codes.length === 0) this.#audit.log.recordLater(call, { result: 'SUCCEEDED', codes });
    else this.#refusals.add({ call, result: 'REFUSED', codes });
  }

  /** Records the refusals that were only counted. */
  close(): void {
    this.#refusals.flush();
  }

  #recordedFields(
    operation: OperationInfo,
    { principal, variables = {} }: AuditedRequest,
  ): readonly RootField[] {
    const isAgent = principal?.kind === 'AGENT';
    if (operation.kind !== 'mutation' && !isAgent) return [];
    const fields = rootFieldsOf(operation);
    const isWorker = principal?.kind === 'PILOT' || principal?.attempt !== undefined;
    return fields.filter(
      (field) => !(isWorker && workerReports.has(field.action)) && isIncluded(field, variables),
    );
  }

  async #begin(
    fields: readonly RootField[],
    request: AuditedRequest,
    kind: OperationInfo['kind'],
  ): Promise<Recording> {
    const { log, digestKey } = this.#audit;
    const { principal, variables = {} } = request;
    const calls = await Promise.all(
      fields.map(async (field): Promise<AuditCall> => {
        const given = withoutSecrets(field.action, argumentsOf(field, variables));
        const callKind = callKindOf(field, kind);
        const call = callOf(callKind, field.action, request, experimentOf(given));
        const targets = { ...(await targetsOf(given, digestKey)), ...reasonOf(field.action, given) };
        return { ...call, targets };
      }),
    );
    // A worker's call does not wait for its entry, except for secrets: none leaves core without an entry.
    const isRead = calls.some((call) => call.kind === 'SECRET_READ');
    const recorded =
      principal?.kind === 'PILOT' && !isRead
        ? calls.map((call) => log.beginUnchecked(call))
        : await Promise.all(calls.map((call) => log.begin(call)));
    return recordingOf(fields, recorded);
  }
}

function callKindOf({ action }: RootField, kind: OperationInfo['kind']): AuditCall['kind'] {
  if (action === 'Mutation.redeemSecrets') return 'SECRET_READ';
  return kind === 'mutation' ? 'MUTATION' : 'AGENT_CALL';
}

function recordingOf(fields: readonly RootField[], recorded: readonly RecordedCall[]): Recording {
  return {
    end: (answer) => {
      const resultOf = resultsOf(answer);
      fields.forEach((field, index) => recorded[index]?.end(resultOf(field)));
    },
    opened: () => recorded.forEach((one) => one.end({ result: 'SUCCEEDED', codes: [] })),
    cancel: () => {
      const result: CallResult = { result: 'CANCELLED', codes: ['REQUEST_CANCELLED'] };
      for (const one of recorded) one.end(result);
    },
  };
}

function callOf(
  kind: AuditCall['kind'],
  action: string,
  { principal, requestId, client, address }: AuditedRequest,
  experiment: string | null,
): AuditCall {
  return {
    kind,
    action,
    actor: principal ? actorOf(principal) : null,
    experiment: experiment ?? (principal ? onlyExperimentOf(principal) : null),
    targets: noTargets,
    requestId,
    client: { ...client, address: address ?? null },
    repeats: 1,
  };
}

/** The caller, and the human behind it. */
export function actorOf(principal: Principal): AuditActor {
  const { kind, subject, actsFor, issuer, tokenId, tokenKind, worker } = principal;
  return {
    kind,
    subject,
    human: kind === 'HUMAN' ? subject : (actsFor ?? null),
    issuer: issuer ?? null,
    tokenId: tokenId ?? null,
    tokenKind: tokenKind === 'CALL' ? null : (tokenKind ?? null),
    worker: worker ?? null,
  };
}

/** The experiment of a principal that has rights in one only. */
function onlyExperimentOf({ service, grants }: Principal): string | null {
  if (service !== undefined) return service;
  const [first, ...others] = new Set(grants.map(({ experiment }) => experiment));
  return first === undefined || first === '*' || others.length > 0 ? null : first;
}
