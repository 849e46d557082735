import { setTimeout as pause } from 'node:timers/promises';
import { CoreRefused } from '../protocol/core-protocol.js';
import type {
  LeasedWorkUnit,
  UnitCalls,
  UnitCompletion,
  UnitFailure,
  UnitReport,
  UnitReportAnswer,
  UnitReportError,
} from '../protocol/unit-calls.js';

/** Bounds of core and of the gateway. */
const limits = { units: 1000, publications: 64, resultBytes: 65_536, bytes: 1_048_576 };

/**
 * A closed pool, as a test of the pilot needs it. It checks fences and sizes as core and the gateway do. The
 * tests in test/security use the real core.
 */
export class ScriptedUnits implements UnitCalls {
  readonly completed: UnitCompletion[] = [];
  readonly failed: UnitFailure[] = [];
  readonly extended: UnitReport[] = [];
  leases = 0;
  /** Open leases that wait. */
  waiting = 0;
  /** True for a pool that is not closed yet. */
  isOpen = false;
  leaseSeconds = 60;
  readonly #units: LeasedWorkUnit[];
  readonly #held = new Set<string>();

  /** @param payloads of the units, whose keys are `key 1`, `key 2` … */
  constructor(payloads: readonly string[] = []) {
    this.#units = payloads.map((payload, at) => ({
      ...{ id: `unit_A.1.${at}`, fence: 1, attempt: 1, key: `key ${at + 1}`, payload },
      ...{ orderingKey: null, size: null, reference: null, deadline: null, expiresAt: '' },
    }));
  }

  readonly lease: UnitCalls['lease'] = async ({ pool, max = 1, waitSeconds = 0 }, signal) => {
    if (pool !== 'slices') throw new CoreRefused('POOL_NOT_FOUND', `Pool "${pool}" not found.`);
    const end = performance.now() + waitSeconds * 1000;
    this.leases++;
    this.waiting++;
    while (this.#units.length === 0 && this.isOpen && performance.now() < end && !signal.aborted)
      await pause(10);
    this.waiting--;
    signal.throwIfAborted();
    const expiresAt = new Date(Date.now() + this.leaseSeconds * 1000).toISOString();
    const units = this.#units.splice(0, max).map((unit) => ({ ...unit, expiresAt }));
    for (const { id } of units) this.#held.add(id);
    return { units, isDrained: units.length === 0 && !this.isOpen, leaseSeconds: this.leaseSeconds };
  };

  /** Calls that add nodes, each once for its key. */
  readonly added = new Map<string, readonly object[]>();

  readonly addNodes: UnitCalls['addNodes'] = async ({ idempotencyKey, nodes }) => {
    if (nodes.length === 0) throw new CoreRefused('INVALID_VALUE', 'nodes: 0 entries are too few');
    this.added.set(idempotencyKey, nodes);
    return nodes.length;
  };

  readonly complete = (units: readonly UnitCompletion[]) => this.#report(units, this.completed);

  readonly fail = (units: readonly UnitFailure[]) => this.#report(units, this.failed);

  readonly extend = (units: readonly UnitReport[]) => this.#report(units, this.extended, true);

  async close(): Promise<void> {
    await Promise.resolve();
  }

  async #report<T extends UnitReport>(
    units: readonly T[],
    reported: T[],
    isKept = false,
  ): Promise<UnitReportAnswer> {
    const invalid = faultsOf(units);
    if (invalid.length > 0) return { acceptedIds: [], errors: invalid };
    const held = units.filter(({ id, fence }) => this.#held.has(id) && fence === 1);
    reported.push(...held);
    if (!isKept) for (const { id } of held) this.#held.delete(id);
    const errors = units
      .filter((unit) => !held.includes(unit))
      .map(({ id }, at) => ({
        code: 'UNIT_NOT_HELD',
        message: `units.${at}.fence: 1 is stale for unit "${id}": its lease has ended`,
        path: ['units', String(at), 'fence'],
      }));
    return Promise.resolve({ acceptedIds: held.map(({ id }) => id), errors });
  }
}

/** Errors of the input of a report. @throws CoreRefused REQUEST_TOO_LARGE, as the gateway does */
function faultsOf(
  units: readonly (UnitReport & { readonly result?: string | undefined })[],
): UnitReportError[] {
  if (Buffer.byteLength(JSON.stringify({ units })) > limits.bytes)
    throw new CoreRefused('REQUEST_TOO_LARGE', 'The body is too large.');
  const publications = new Set(units.map(({ id }) => id.slice(0, id.lastIndexOf('.'))));
  if (units.length > limits.units || publications.size > limits.publications)
    return [{ code: 'INVALID_VALUE', message: 'units: too many', path: ['units'] }];
  return units.flatMap(({ result = '' }, at) => {
    const size = Buffer.byteLength(result);
    if (size <= limits.resultBytes) return [];
    const message = `units.${at}.result: ${size} bytes; must be at most ${limits.resultBytes} bytes`;
    return [{ code: 'INVALID_VALUE', message, path: ['units', String(at), 'result'] }];
  });
}
