/** Progress of a workflow: numbers of quanta by label, the end to expect, the report of BPS. Pure. */
import { type NodeRun, spentBy } from '@rhizome/experiment';
import { type Campaign, memoryOf, quantumState } from './campaign.js';
import type { RubinQuantumState } from '../types.generated.js';

/** Progress of the quanta with one label, or of all. */
export interface LabelProgress {
  readonly label: string;
  readonly expected: number;
  readonly counts: Readonly<Record<RubinQuantumState, number>>;
  /** READY quanta whose jobs exist. */
  readonly pending: number;
  readonly escalated: number;
  readonly coreHours: number;
  readonly estimatedEndAt: Date | null;
}

/** A row of the report of BPS. */
export interface ReportRow {
  readonly label: string;
  readonly unready: number;
  readonly ready: number;
  readonly pending: number;
  readonly running: number;
  readonly deleted: number;
  readonly held: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly pruned: number;
  readonly expected: number;
}

interface Tally {
  expected: number;
  readonly counts: Record<RubinQuantumState, number>;
  pending: number;
  escalated: number;
  coreSeconds: number;
  /** Start of the first job. */
  since: number;
  readonly recent: Pace;
}

/** Ends of quanta in the last day, and the start of the first job that ended then or still runs. */
interface Pace {
  ended: number;
  since: number;
}

const dayMs = 86_400_000;

const noCounts: Readonly<Record<RubinQuantumState, number>> = {
  WAITING: 0,
  READY: 0,
  RUNNING: 0,
  HELD: 0,
  SUCCEEDED: 0,
  FAILED: 0,
  CANCELLED: 0,
  BLOCKED: 0,
};

/** Progress of each label, in the order of the labels. */
export function labelProgress(campaign: Campaign): readonly LabelProgress[] {
  const { graph, now } = campaign;
  return talliesOf(campaign).map((tally, at) => progressOf(graph.labels[at] ?? '', tally, now));
}

/** Progress of all quanta together. */
export function wholeProgress(campaign: Campaign): LabelProgress {
  const all = emptyTally();
  for (const tally of talliesOf(campaign)) {
    all.expected += tally.expected;
    all.pending += tally.pending;
    all.escalated += tally.escalated;
    all.coreSeconds += tally.coreSeconds;
    all.since = Math.min(all.since, tally.since);
    all.recent.ended += tally.recent.ended;
    all.recent.since = Math.min(all.recent.since, tally.recent.since);
    for (const state of Object.keys(noCounts) as RubinQuantumState[])
      all.counts[state] += tally.counts[state];
  }
  return progressOf('', all, campaign.now);
}

function talliesOf(campaign: Campaign): readonly Tally[] {
  const { graph, runs, reset, now } = campaign;
  const tallies = graph.labels.map(emptyTally);
  const memory = graph.labels.map((label) => memoryOf(campaign, label));
  const isCounted = new Set<number>();
  graph.labelOf.forEach((label, index) => {
    const tally = tallies[label];
    if (!tally) return;
    const node = graph.nodeOf[index] ?? index;
    const known = runs.get(node);
    const run = known?.run;
    const state = quantumState(campaign, index);
    tally.expected += 1;
    tally.counts[state] += 1;
    if (!known || !run) return;
    if (!reset.has(node)) notePace(tally, state, run, now);
    if (state === 'READY' && !reset.has(node)) tally.pending += 1;
    if (run.memoryMiB > (memory[label] ?? Infinity)) tally.escalated += 1;
    // The quanta of a cluster have one job.
    if (isCounted.has(node)) return;
    isCounted.add(node);
    tally.coreSeconds += spentBy(known).coreSeconds;
    if (run.startedAt) tally.since = Math.min(tally.since, run.startedAt.getTime());
  });
  return tallies;
}

function notePace({ recent }: Tally, state: RubinQuantumState, run: NodeRun, now: Date): void {
  const { startedAt, endedAt = now } = run;
  if (!startedAt || now.getTime() - endedAt.getTime() > dayMs) return;
  recent.since = Math.min(recent.since, startedAt.getTime());
  if (state === 'SUCCEEDED' || state === 'FAILED' || state === 'CANCELLED') recent.ended += 1;
}

function emptyTally(): Tally {
  return {
    expected: 0,
    counts: { ...noCounts },
    pending: 0,
    escalated: 0,
    coreSeconds: 0,
    since: Infinity,
    recent: { ended: 0, since: Infinity },
  };
}

function progressOf(label: string, tally: Tally, now: Date): LabelProgress {
  const { expected, counts, pending, escalated, coreSeconds } = tally;
  return {
    ...{ label, expected, counts, pending, escalated },
    coreHours: coreSeconds / 3600,
    estimatedEndAt: endAt(tally, now),
  };
}

/**
 * The end at the pace of the last day, or since the first quantum started if none has ended in that time;
 * null if none has ended, or none is left.
 */
function endAt({ counts, recent, since: first }: Tally, now: Date): Date | null {
  const all = counts.SUCCEEDED + counts.FAILED + counts.CANCELLED;
  const { ended, since } = recent.ended > 0 ? recent : { ended: all, since: first };
  const left = counts.WAITING + counts.READY + counts.RUNNING + counts.HELD;
  const elapsed = now.getTime() - since;
  if (ended === 0 || left === 0 || !(elapsed > 0)) return null;
  return new Date(now.getTime() + (elapsed / ended) * left);
}

/** The rows of the report. */
export function reportRows(campaign: Campaign): readonly ReportRow[] {
  return labelProgress(campaign).map(({ label, expected, pending, counts }) => ({
    label,
    unready: counts.WAITING,
    ready: counts.READY - pending,
    pending,
    running: counts.RUNNING,
    deleted: counts.CANCELLED,
    held: counts.HELD,
    succeeded: counts.SUCCEEDED,
    failed: counts.FAILED,
    pruned: counts.BLOCKED,
    expected,
  }));
}

const columns = [
  'unready',
  'ready',
  'pending',
  'running',
  'deleted',
  'held',
  'succeeded',
  'failed',
  'pruned',
  'expected',
] as const;

/** The report as text: a row for each label after one for all. */
export function reportText(rows: readonly ReportRow[]): string {
  const total = columns.map((column) => String(rows.reduce((sum, row) => sum + row[column], 0)));
  const table = [
    ['', ...columns.map((column) => column.toUpperCase())],
    ['TOTAL', ...total],
    ...rows.map((row) => [row.label, ...columns.map((column) => String(row[column]))]),
  ];
  const widths = table[0]?.map((_, at) => Math.max(...table.map((cells) => cells[at]?.length ?? 0))) ?? [];
  const lines = table.map((cells) =>
    cells
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  '),
  );
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}
