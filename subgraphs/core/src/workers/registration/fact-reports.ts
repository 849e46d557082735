/**
 * Facts that workers report about their hosts and devices, stored in the order of the reports. Memory of a
 * process may lag behind, so it does not decide what is new. Each report stores its digest with the lease, in
 * the write that renews it, and a digest that differs from the previous one starts the next version. A worker
 * is only written for a version later than its own.
 */
import { digestOf } from '@rhizome/digest';
import { type DeviceInput, storedDevices } from './device-input.js';
import { type HardwareInput, storedHardware } from './worker-input.js';
import type { WorkerRegistry } from '../worker-registry.js';
import {
  type FactPart,
  factParts,
  type WorkerDocument,
  type LeaseTerms,
  type Digests,
} from '../worker.types.js';
import type { WorkersRepository } from '../workers.repository.js';
import type { DeviceDocument } from '../../gpus/device.types.js';
import type { StoredHardware } from '../../scheduler/worker-facts.types.js';

/** Facts in their stored form; a part that was not reported is left out. */
export interface ReportedFacts {
  readonly hardware?: StoredHardware;
  readonly devices?: readonly DeviceDocument[];
}

/** Reported facts of a host and its devices. */
interface FactInputs {
  readonly hardware?: HardwareInput | null | undefined;
  readonly devices?: readonly DeviceInput[] | null | undefined;
}

/** A report in its stored form, with its digests. */
export interface Report<TFacts extends ReportedFacts = ReportedFacts> {
  readonly facts: TFacts;
  readonly digests: Digests;
}

/**
 * Converts reported facts to the form in which they are compared and stored. The input has been validated.
 */
export function reportOf(spec: {
  readonly hardware: HardwareInput;
  readonly devices: readonly DeviceInput[];
}): Report<Required<ReportedFacts>>;
export function reportOf(spec: FactInputs): Report;
export function reportOf(spec: FactInputs): Report {
  const facts: ReportedFacts = {
    ...(spec.hardware ? { hardware: storedHardware(spec.hardware) } : {}),
    ...(spec.devices ? { devices: storedDevices(spec.devices) } : {}),
  };
  const reported = factParts.filter((part) => facts[part] !== undefined);
  return { facts, digests: Object.fromEntries(reported.map((part) => [part, digestOf(facts[part])])) };
}

/** Stores reported facts. */
export class FactReports {
  readonly #workers: Pick<WorkersRepository, 'setFacts' | 'findMany'>;
  readonly #registry: Pick<WorkerRegistry, 'set'>;
  constructor(
    workers: Pick<WorkersRepository, 'setFacts' | 'findMany'>,
    registry: Pick<WorkerRegistry, 'set'>,
  ) {
    this.#workers = workers;
    this.#registry = registry;
  }

  /** Stores the new facts of a report whose digests the lease has. @returns the worker after that */
  async apply(
    worker: WorkerDocument,
    { facts, digests }: Report,
    { reportVersions }: LeaseTerms,
  ): Promise<WorkerDocument> {
    let known = worker;
    for (const part of factParts) {
      const latest = reportVersions?.[part];
      // With another digest, a later report arrived meanwhile; the process that received that report stores
      // it.
      if (!latest || facts[part] === undefined || latest.digest !== digests[part]) continue;
      if (latest.version <= (known.reportVersions?.[part] ?? 0)) continue;
      known = await this.#write(known, part, facts, latest.version);
    }
    return known;
  }

  async #write(
    worker: WorkerDocument,
    part: FactPart,
    facts: ReportedFacts,
    version: number,
  ): Promise<WorkerDocument> {
    const changed = await this.#workers.setFacts(worker._id, part, facts[part], version);
    // Not changed: the worker has that version, which this process did not know, or has ended or was lost.
    const current = changed ?? (await this.#workers.findMany([worker._id]))[0];
    if (current) this.#registry.set(current);
    return current ?? worker;
  }
}
