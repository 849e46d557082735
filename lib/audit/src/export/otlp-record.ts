/** Entries as log records of OTLP, in the JSON form of its protocol buffers. */
import { hostname } from 'node:os';
import type { AuditResult } from '../chain/entry.js';
import type { AuditBatch } from '../store/audit.repository.js';
import { severityOf } from './severity.js';

type Value = string | number | null | undefined;

const severities = {
  warning: { severityNumber: 13, severityText: 'WARN' },
  notice: { severityNumber: 10, severityText: 'INFO2' },
  informational: { severityNumber: 9, severityText: 'INFO' },
} as const;

/** The records of a batch, in the order of the chain. */
export function recordsOf({ outcomes, entries }: AuditBatch): readonly Buffer[] {
  return [
    ...outcomes.map(({ id, outcome }) => {
      const content = { type: 'OUTCOME', _id: id, ...outcome };
      const { result, link } = outcome;
      return record(outcome.at, result, content, { sequence: link?.sequence, id, result });
    }),
    ...entries.map((entry) => {
      const { _id: id, kind, action, experiment, actor, client, chain, link, requestId, outcome } = entry;
      const { sequence } = link;
      const facts = { kind, action, experiment, chain, sequence, id, requestId, result: outcome?.result };
      const caller = { 'user.id': actor?.subject, 'client.address': client.address };
      return record(entry.at, outcome?.result, { type: 'ENTRY', ...entry }, facts, caller);
    }),
  ];
}

function record(
  at: Date,
  result: AuditResult | undefined,
  content: { readonly type: string },
  facts: Readonly<Record<string, Value>>,
  others: Readonly<Record<string, Value>> = {},
): Buffer {
  const time = `${at.getTime()}000000`;
  const named = Object.entries(facts).map(
    ([name, value]) => [`rhizome.audit.${snake(name)}`, value] as const,
  );
  const attributes = attributesOf([
    ['event.name', `rhizome.audit.${content.type.toLowerCase()}`],
    ...named,
    ...Object.entries(others),
  ]);
  return Buffer.from(
    JSON.stringify({
      ...{ timeUnixNano: time, observedTimeUnixNano: time },
      ...severities[severityOf(result)],
      body: { stringValue: JSON.stringify(content) },
      attributes,
    }),
  );
}

const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Attributes that have a value. Integers are texts: JSON has no numbers of 64 bits. */
function attributesOf(given: readonly (readonly [string, Value])[]): readonly object[] {
  return given.flatMap(([key, value]) => {
    if (value === null || value === undefined) return [];
    return { key, value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value } };
  });
}

const resource = {
  attributes: attributesOf([
    ['service.name', 'rhizome-gateway'],
    ['host.name', hostname()],
    ['process.pid', process.pid],
  ]),
};
const [head = '', tail = ''] = JSON.stringify({
  resourceLogs: [{ resource, scopeLogs: [{ scope: { name: 'rhizome.audit' }, logRecords: ['RECORDS'] }] }],
}).split('"RECORDS"');

/** An `ExportLogsServiceRequest` with the records. */
export function requestOf(records: readonly Buffer[]): Buffer {
  const parts = records.flatMap((one, at) => (at === 0 ? [one] : [comma, one]));
  return Buffer.concat([Buffer.from(head), ...parts, Buffer.from(tail)]);
}

const comma = Buffer.from(',');
