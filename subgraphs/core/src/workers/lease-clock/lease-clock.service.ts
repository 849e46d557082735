/** Reports of gateways, and the state of the lease clock as operators see it. */
import type { Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { DomainError } from '@rhizome/errors';
import type { LeaseClockRepository } from './lease-clock.repository.js';
import type { GatewayReportDocument, LeaseClockState } from './lease-clock.types.js';
import { massSilenceLimits } from './mass-silence.js';

/** State of the lease clock. */
export interface LeaseClockView {
  readonly state: LeaseClockState;
  readonly reason: string | null;
  readonly since: Date;
  readonly checkedAt: Date | null;
  readonly silentWorkers: number;
  readonly workers: number;
  readonly postponedUntil: Date | null;
  readonly gateways: readonly GatewayReportDocument[];
}

/** Time without a record after which no leader runs the clock, in milliseconds. */
const recordMs = 5000;
const mostGateways = 100;

/** Stores reports, and reads the clock, in any core process. */
export class LeaseClockService {
  readonly #clocks: Pick<LeaseClockRepository, 'read' | 'report' | 'reports'>;
  readonly #clock: Clock;

  constructor(clocks: Pick<LeaseClockRepository, 'read' | 'report' | 'reports'>, clock: Clock) {
    this.#clocks = clocks;
    this.#clock = clock;
  }

  /** Stores the report of the calling gateway. @returns its time */
  report({ gateway }: Principal, isAcceptingPilots: boolean): Promise<Date> {
    if (gateway === undefined) throw new DomainError('FORBIDDEN', 'Only a gateway may report its state');
    return this.#clocks.report(gateway, isAcceptingPilots);
  }

  /** The state now. */
  async view(): Promise<LeaseClockView> {
    const [read, gateways] = await Promise.all([this.#clocks.read(), this.#clocks.reports(mostGateways)]);
    if (!read) return { ...unknown, since: this.#clock.now(), gateways };
    const { clock, now } = read;
    const isSilent = now.getTime() - clock.updatedAt.getTime() > recordMs;
    const current = isSilent
      ? { state: unknown.state, reason: unknown.reason, since: clock.updatedAt }
      : { state: clock.state, reason: clock.reason ?? null, since: clock.since };
    const { checkedAt = null, silentWorkers, workers, postponement } = clock;
    const postponedUntil = postponement
      ? new Date(postponement.since.getTime() + massSilenceLimits.longestMs)
      : null;
    return { ...current, checkedAt, silentWorkers, workers, postponedUntil, gateways };
  }
}

const unknown = {
  state: 'STOPPED',
  reason: 'no core process leads',
  checkedAt: null,
  silentWorkers: 0,
  workers: 0,
  postponedUntil: null,
} as const;
