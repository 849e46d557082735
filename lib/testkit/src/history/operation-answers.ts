/** Reads from the answer to a GraphQL operation what callers received about jobs. */
import { type DocumentNode, type FieldNode, Kind, parse, valueFromASTUntyped } from 'graphql';
import type { RecordedAnswer } from './history.types.js';
import { type AnswerSource, recordAnswer } from './records.js';

/** An operation that was answered. */
export interface AnsweredOperation {
  readonly document: DocumentNode | string;
  readonly variables?: object | undefined;
  /** Principal or credential that called: idempotency keys are the caller's own. */
  readonly caller: string;
  /** Data of the answer. */
  readonly data: unknown;
}

type Fields = Readonly<Record<string, unknown>>;
type Reader = (input: Fields, answer: Fields, caller: string) => readonly RecordedAnswer[];
type ReportedPhase = Extract<RecordedAnswer, { readonly kind: 'REPORT' }>['phase'];

/** Records what the operation was answered about jobs, if it selected the fields that say so. */
export function recordOperation(
  source: AnswerSource,
  { document, variables = {}, caller, data }: AnsweredOperation,
): void {
  const fields = rootFields(document);
  for (const field of fields) {
    const reader = readers[field.name.value];
    const answer = reader && fieldsOf(fieldsOf(data)[(field.alias ?? field.name).value]);
    if (answer)
      for (const one of reader(inputOf(field, variables), answer, caller)) recordAnswer(source, one);
  }
}

function rootFields(document: DocumentNode | string): readonly FieldNode[] {
  // Most operations of tests are queries, which need no second parsing.
  if (typeof document === 'string' && !document.includes('mutation')) return [];
  const { definitions } = typeof document === 'string' ? parse(document) : document;
  return definitions.flatMap((one) =>
    one.kind === Kind.OPERATION_DEFINITION
      ? one.selectionSet.selections.filter((field): field is FieldNode => field.kind === Kind.FIELD)
      : [],
  );
}

function inputOf(field: FieldNode, variables: object): Fields {
  const value = field.arguments?.find(({ name }) => name.value === 'input')?.value;
  return value ? fieldsOf(valueFromASTUntyped(value, variables as Record<string, unknown>)) : {};
}

const readers: Readonly<Record<string, Reader | undefined>> = {
  submitJobs({ experiment, idempotencyKey, onBehalfOf }, { jobs }, caller) {
    const jobIds = listOf(jobs).map((job) => (job === null ? '' : fieldsOf(job)['id']));
    if (!jobIds.every((id) => typeof id === 'string') || jobIds.every((id) => id === '')) return [];
    const key = [caller, onBehalfOf, experiment, idempotencyKey].join(' ');
    return [{ kind: 'SUBMIT', key, jobIds }];
  },
  cancelJobs(_input, { result }) {
    return textsOf(fieldsOf(result)['changedIds']).map((jobId) => ({ kind: 'CANCEL', jobId }));
  },
  acquireJobs({ workerId }, { assignments }) {
    return listOf(assignments).flatMap((one) => {
      const { job, fence } = fieldsOf(one);
      const jobId = fieldsOf(job)['id'];
      return typeof workerId === 'string' && typeof jobId === 'string' && typeof fence === 'number'
        ? { kind: 'GRANT', workerId, jobId, fence }
        : [];
    });
  },
  heartbeat({ workerId }, { commands }) {
    return listOf(commands).flatMap((one) => {
      const { kind, jobId, fence } = fieldsOf(one);
      return kind === 'DROP' &&
        typeof workerId === 'string' &&
        typeof jobId === 'string' &&
        typeof fence === 'number'
        ? { kind, workerId, jobId, fence }
        : [];
    });
  },
  startJobs: (input, answer) => reports(input, answer, ({ phase }) => phase as ReportedPhase),
  finishJobs: (input, answer) => reports(input, answer, ({ phase = 'FINISHED' }) => phase as ReportedPhase),
  failJobs: (input, answer) => reports(input, answer, () => 'FAILED'),
};

function reports(
  { jobs }: Fields,
  { acceptedIds }: Fields,
  phaseOf: (report: Fields) => ReportedPhase,
): readonly RecordedAnswer[] {
  const accepted = new Set(textsOf(acceptedIds));
  return listOf(jobs).flatMap((one) => {
    const report = fieldsOf(one);
    const { id, fence } = report;
    return typeof id === 'string' && typeof fence === 'number' && accepted.has(id)
      ? { kind: 'REPORT', jobId: id, fence, phase: phaseOf(report) }
      : [];
  });
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textsOf(value: unknown): readonly string[] {
  return listOf(value).filter((one): one is string => typeof one === 'string');
}
