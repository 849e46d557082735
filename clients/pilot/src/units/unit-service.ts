/** Calls about units for a payload, repeated until core answers. */
import type { Logger } from '@rhizome/log';
import type {
  LeasedWorkUnit,
  LeasedWorkUnits,
  NodesToAdd,
  UnitCalls,
  UnitCompletion,
  UnitFailure,
  UnitLeaseRequest,
  UnitReport,
  UnitReportAnswer,
} from '../protocol/unit-calls.js';
import { untilAnswered } from '../protocol/until-answered.js';
import type { OpenRequests } from './open-requests.js';
import { reportUnits } from './unit-reports.js';

/** Parts of {@link UnitService}. */
export interface UnitServiceParts {
  readonly calls: UnitCalls;
  /** Shared by all that serve the payload. */
  readonly open: OpenRequests;
  readonly log: Logger;
}

/** Each call throws CoreRefused, or the signal's reason. */
export class UnitService {
  readonly open: OpenRequests;
  readonly #calls: UnitCalls;
  readonly #log: Logger;

  constructor({ calls, open, log }: UnitServiceParts) {
    this.#calls = calls;
    this.open = open;
    this.#log = log;
  }

  lease(request: UnitLeaseRequest, signal: AbortSignal): Promise<LeasedWorkUnits> {
    return this.#answered(() => this.#calls.lease(request, signal), signal);
  }

  complete(units: readonly UnitCompletion[], signal: AbortSignal): Promise<UnitReportAnswer> {
    return reportUnits(units, (some) => this.#answered(() => this.#calls.complete(some, signal), signal));
  }

  fail(units: readonly UnitFailure[], signal: AbortSignal): Promise<UnitReportAnswer> {
    return reportUnits(units, (some) => this.#answered(() => this.#calls.fail(some, signal), signal));
  }

  extend(units: readonly UnitReport[], signal: AbortSignal): Promise<UnitReportAnswer> {
    return reportUnits(units, (some) => this.#answered(() => this.#calls.extend(some, signal), signal));
  }

  addNodes(nodes: NodesToAdd, signal: AbortSignal): Promise<number> {
    return this.#answered(() => this.#calls.addNodes(nodes, signal), signal);
  }

  /** Returns units that did not reach the payload. Never rejects. */
  async giveBack(units: readonly LeasedWorkUnit[], message: string, signal: AbortSignal): Promise<void> {
    if (units.length === 0) return;
    const kind = 'RETURN';
    try {
      await this.fail(
        units.map(({ id, fence }) => ({ id, fence, kind, message })),
        signal,
      );
    } catch (error) {
      if (!signal.aborted) this.#log.warn({ err: error, units: units.length }, 'work units not returned');
    }
  }

  #answered<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
    let isLogged = false;
    return untilAnswered(call, signal, (error) => {
      if (!isLogged) this.#log.warn({ err: error }, 'call about work units not answered, repeated');
      isLogged = true;
    });
  }
}
