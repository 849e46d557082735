import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ExecutionText } from '@rhizome/federation';
import type { StreamEnd, StreamObserver } from '../streams/index.js';
import type { GuardFacts } from '../transports/index.js';
import type { GraphFacts } from '../registry/index.js';
import { watchGraph, watchSubgraphs } from './subgraph-metrics.js';

/** Sources of the gauges, read at each scrape. */
export interface MetricsSources {
  /** Streams of clients, and upstreams behind them. */
  streams(): { readonly streams: number; readonly upstreams: number };
  sockets(): number;
  /** Bytes buffered for WebSocket clients. */
  socketBytes(): number;
  /** State of the subgraphs, by name. */
  subgraphs(): ReadonlyMap<string, GuardFacts>;
  /** State of the connection to the schema registry; undefined without one. */
  graph(): GraphFacts | undefined;
  running(): number;
  /** Operations that wait for their turn. */
  waitingOperations(): number;
  /** Calls that wait for work. */
  waitingCalls(): number;
  /** WebSockets whose `connection_init` was not accepted yet. */
  waitingSockets(): number;
}

/** Counters and gauges of one gateway, in a registry of their own. */
export class GatewayMetrics implements StreamObserver {
  readonly registry = new Registry();
  readonly #operations: Histogram;
  readonly #errors: Counter;
  readonly #refusals: Counter;
  readonly #sharedReads: Counter;
  readonly #streamsOpened: Counter;
  readonly #streamsClosed: Counter;
  readonly #reopened: Counter;
  readonly #delivered: Counter;
  readonly #upstreamsOpened: Counter;

  constructor() {
    const registers = [this.registry];
    this.#operations = new Histogram({
      name: 'rhizome_gateway_operation_seconds',
      help: 'Duration of queries and mutations from arrival to response',
      labelNames: ['kind', 'outcome'],
      buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30],
      registers,
    });
    const counter = (name: string, help: string, labelNames: string[] = []) =>
      new Counter({ name: `rhizome_gateway_${name}`, help, labelNames, registers });
    this.#errors = counter('errors_total', 'Errors in responses by code', ['code']);
    this.#refusals = counter('refusals_total', 'Requests refused before an operation was known, by code', [
      'code',
    ]);
    this.#sharedReads = counter('shared_reads_total', 'Queries that shared the execution of an equal one');
    this.#streamsOpened = counter('streams_opened_total', 'Client streams opened');
    this.#streamsClosed = counter('streams_closed_total', 'Client streams closed, by reason', ['reason']);
    this.#reopened = counter('upstream_reopened_total', 'Upstreams reopened, by reason', ['reason']);
    this.#delivered = counter('events_delivered_total', 'Events delivered to client streams');
    this.#upstreamsOpened = counter('upstreams_opened_total', 'Upstream subscriptions opened');
  }

  /** Sets the gauges; called once. */
  watch(sources: MetricsSources): void {
    const gauge = (name: string, help: string, read: () => number): void => {
      const made: Gauge = new Gauge({
        name: `rhizome_gateway_${name}`,
        help,
        registers: [this.registry],
        collect: () => made.set(read()),
      });
    };
    gauge('streams', 'Open client streams', () => sources.streams().streams);
    gauge('upstreams', 'Open upstream subscriptions', () => sources.streams().upstreams);
    gauge('sockets', 'Open WebSockets', () => sources.sockets());
    gauge('socket_buffered_bytes', 'Bytes buffered for slow WebSocket clients', () => sources.socketBytes());
    gauge('sockets_waiting', 'WebSockets that wait for their connection_init', () =>
      sources.waitingSockets(),
    );
    gauge('operations_waiting', 'Operations that wait for their turn', () => sources.waitingOperations());
    gauge('calls_waiting', 'Calls that wait for work, those of pilots aside', () => sources.waitingCalls());
    watchSubgraphs(this.registry, () => sources.subgraphs());
    watchGraph(this.registry, () => sources.graph());
    gauge('operations_running', 'Running queries and mutations', () => sources.running());
  }

  /** Records a query or mutation that took this many seconds. */
  answered({ kind, outcome, codes }: ExecutionText, seconds: number): void {
    const label = codes.length > 0 ? `${outcome}_with_errors` : outcome;
    this.#operations.observe({ kind: kind ?? 'unknown', outcome: label }, seconds);
    for (const code of codes) this.#errors.inc({ code });
  }

  refused(code: string): void {
    this.#refusals.inc({ code });
  }

  readShared(): void {
    this.#sharedReads.inc();
  }

  streamOpened(): void {
    this.#streamsOpened.inc();
  }

  streamClosed(reason: StreamEnd): void {
    this.#streamsClosed.inc({ reason });
  }

  upstreamOpened(): void {
    this.#upstreamsOpened.inc();
  }

  upstreamClosed(): void {
    // The gauge shows it.
  }

  upstreamReopened(reason: 'broken' | 'moved'): void {
    this.#reopened.inc({ reason });
  }

  delivered(listeners: number): void {
    if (listeners > 0) this.#delivered.inc(listeners);
  }
}
