import type { CopyFacts, OpenedAudit } from '@rhizome/audit';
import { Counter, Gauge, type Registry } from 'prom-client';

const outcomes = ['sent', 'refused', 'dropped'] as const satisfies readonly (keyof CopyFacts)[];

/** Copies of the audit log by exporter, read at each scrape. */
export function watchAuditExports(registry: Registry, { exports }: Pick<OpenedAudit, 'exports'>): void {
  if (exports.length === 0) return;
  const registers = [registry];
  const labelNames = ['exporter'];
  const copies: Counter = new Counter({
    name: 'rhizome_gateway_audit_copies_total',
    help: 'Copies of audit entries by outcome; dropped ones found no place to wait',
    labelNames: [...labelNames, 'outcome'],
    registers,
    collect: () => {
      copies.reset();
      for (const { name: exporter, facts } of exports)
        for (const outcome of outcomes) copies.inc({ exporter, outcome }, facts[outcome]);
    },
  });
  const failures: Counter = new Counter({
    name: 'rhizome_gateway_audit_copy_failures_total',
    help: 'Failed writes of copies of audit entries, which are tried again',
    labelNames,
    registers,
    collect: () => {
      failures.reset();
      for (const { name: exporter, facts } of exports) failures.inc({ exporter }, facts.failedWrites);
    },
  });
  const waiting: Gauge = new Gauge({
    name: 'rhizome_gateway_audit_copies_waiting',
    help: 'Copies of audit entries that wait for the server',
    labelNames,
    registers,
    collect: () => {
      waiting.reset();
      for (const { name: exporter, facts } of exports) waiting.set({ exporter }, facts.waiting);
    },
  });
}
