/**
 * Reports to core, each second, that this gateway accepts pilots. Without such a report core takes the
 * silence of workers for a fault of the service, and loses none of them. The report takes the way of the
 * pilots' calls, so it also shows that this way works.
 */
import { gatewayPrincipal } from '@rhizome/authz';
import { createIds } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { sleep } from '@rhizome/retry';
import { type BorrowEngine, executeOwn } from './own-operation.js';

const mutation = `mutation ReportGateway($input: ReportGatewayInput!) {
  reportGateway(input: $input) { reportedAt userErrors { message } }
}`;

/** Options of {@link AvailabilityReports}. */
export interface AvailabilityReportsOptions {
  readonly borrow: BorrowEngine;
  /** True while the gateway accepts calls of pilots. */
  readonly isAcceptingPilots: () => boolean;
  readonly log: Logger;
  /** Pause between two reports, in milliseconds. */
  readonly pauseMs?: number;
}

/** Longest time for a report, in milliseconds: the next one may get through. */
const timeoutMs = 5000;
/** Longest time for the last report, in milliseconds. */
const lastTimeoutMs = 500;
/** Pause after a graph without core, in milliseconds; another graph may be served later. */
const pauseWithoutCoreMs = 5000;

/** Sends the reports. */
export class AvailabilityReports {
  readonly #options: AvailabilityReportsOptions;
  readonly #principal = gatewayPrincipal(createIds().next('gateway'));
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #sending: AbortController | undefined;
  #failure: 'NO_CORE' | 'REFUSED' | undefined;

  constructor(options: AvailabilityReportsOptions) {
    this.#options = options;
  }

  /** Reports from now on; the gateway listens. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Reports once more that the gateway accepts no pilots; reports end with that. */
  async stop(): Promise<void> {
    if (!this.#running || this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    this.#sending?.abort();
    await this.#running;
    if (!this.#failure) await this.#send(false, lastTimeoutMs);
  }

  async #run(): Promise<void> {
    const { isAcceptingPilots, pauseMs = 1000 } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      if (isAcceptingPilots()) this.#notice(await this.#send(true, timeoutMs));
      const isWithoutCore = this.#failure === 'NO_CORE';
      await sleep(isWithoutCore ? pauseWithoutCoreMs : pauseMs, signal, { ref: false });
    }
  }

  /** Codes of the errors of a report; empty if core has accepted it. */
  async #send(isAcceptingPilots: boolean, limitMs: number): Promise<readonly string[]> {
    const sending = (this.#sending = new AbortController());
    const timer = setTimeout(() => sending.abort(), limitMs);
    const variables = { input: { isAcceptingPilots } };
    const { signal } = sending;
    try {
      const operation = { query: mutation, variables, principal: this.#principal, signal };
      const { codes } = await executeOwn(this.#options.borrow, operation);
      return codes;
    } catch (error) {
      return [error instanceof Error ? error.message : String(error)];
    } finally {
      clearTimeout(timer);
    }
  }

  /** Logs the first failed report and the next accepted one. */
  #notice(codes: readonly string[]): void {
    if (this.#stopping.signal.aborted) return;
    const before = this.#failure;
    this.#failure = failureOf(codes);
    if (this.#failure === before) return;
    const { log } = this.#options;
    if (this.#failure === 'REFUSED') log.warn({ codes }, 'report to core failed');
    else if (this.#failure === undefined) log.info('report to core accepted');
  }
}

/** A graph without core knows no such report. */
function failureOf(codes: readonly string[]): 'NO_CORE' | 'REFUSED' | undefined {
  if (codes.length === 0) return undefined;
  return codes.includes('GRAPHQL_VALIDATION_FAILED') ? 'NO_CORE' : 'REFUSED';
}
