/** Tasks of a log over time: signed heads each minute and each day, and retention. */
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import type { ChainTip } from '../heads/head.js';
import type { HeadWriter } from '../heads/head-writer.js';
import type { AuditRepository } from '../store/audit.repository.js';

/** Ports of a {@link Custodian}. */
export interface CustodianOptions {
  readonly audit: { readonly tip: ChainTip; recordOwn(action: string, count: number): void };
  readonly repository: AuditRepository;
  readonly heads: HeadWriter;
  readonly clock: Clock;
  readonly log: Logger;
  readonly retentionDays?: number | undefined;
}

const everyMs = 60_000;
const dayMs = 86_400_000;

/** Signs the head of its chain each minute; once a day those of all chains, and removes old entries. */
export class Custodian {
  readonly #options: CustodianOptions;
  readonly #timer: NodeJS.Timeout;
  #signed = 0;
  #day: string;
  #working: Promise<void>;

  constructor(options: CustodianOptions) {
    this.#options = options;
    this.#day = dayOf(options.clock.now());
    this.#working = this.#sign('MINUTE');
    this.#timer = setInterval(() => void this.tick(), everyMs);
    this.#timer.unref();
  }

  /** One turn, as the timer makes it. Never rejects. */
  tick(): Promise<void> {
    return (this.#working = this.#working.then(() => this.#tick()));
  }

  /** Signs the last head of the chain. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#working;
    await this.#sign('CLOSED');
  }

  async #tick(): Promise<void> {
    const day = dayOf(this.#options.clock.now());
    await this.#sign('MINUTE');
    if (day === this.#day) return;
    try {
      await this.#daily();
      this.#day = day;
    } catch (error) {
      this.#options.log.error({ err: error }, 'signing the daily head failed; retrying');
    }
  }

  async #sign(kind: 'MINUTE' | 'CLOSED'): Promise<void> {
    const { audit, heads, clock, log } = this.#options;
    const { tip } = audit;
    if (kind === 'MINUTE' && tip.sequence === this.#signed) return;
    try {
      await heads.write(kind, [tip], clock.now());
      this.#signed = tip.sequence;
    } catch (error) {
      log.error({ err: error }, 'writing a head of the audit log failed; retrying');
    }
  }

  async #daily(): Promise<void> {
    const { repository, heads, clock, audit, retentionDays } = this.#options;
    const now = clock.now();
    await heads.write('DAILY', await repository.tips(), now);
    if (retentionDays === undefined) return;
    const old = await repository.prefixes(new Date(now.getTime() - retentionDays * dayMs));
    if (old.length === 0) return;
    // Signed first: what a verification misses from then on was removed by the log.
    await heads.write('PRUNED', old, now);
    let removed = 0;
    for (const prefix of old) removed += await repository.removePrefix(prefix);
    if (removed > 0) audit.recordOwn('audit.prune', removed);
  }
}

function dayOf(at: Date): string {
  return at.toISOString().slice(0, 10);
}
