import { useFresh } from '../api/use-fresh.js';
import {
  type DiagnosisFactsFragment,
  JobDiagnosisDocument,
  QueueDiagnosisDocument,
  TaskDiagnosisDocument,
} from '../operations.generated.js';
import { readable } from '../pages/log.js';
import { Link } from '../routing/link.js';
import { jobPath, queuePath, taskPath } from '../routing/routes.js';
import { FailureNote } from './failure-note.js';
import { visibleText } from './visible-text.js';

type Diagnosis = DiagnosisFactsFragment;
type Evidence = Diagnosis['causes'][number]['evidence'][number];

/** Diagnosis of a job; read again when its state changes. */
export function JobDiagnosis({ id, state }: { id: string; state: string }) {
  const { data, failure } = useFresh(JobDiagnosisDocument, { id }, state);
  return <DiagnosisPanel diagnosis={data?.job?.diagnosis} failure={failure} />;
}

/** Diagnosis of a task; read again when its state changes. */
export function TaskDiagnosis({ id, state }: { id: string; state: string }) {
  const { data, failure } = useFresh(TaskDiagnosisDocument, { id }, state);
  return <DiagnosisPanel diagnosis={data?.task?.diagnosis} failure={failure} />;
}

/** Diagnosis of a queue; read again when its state changes. */
export function QueueDiagnosis({ name, state }: { name: string; state: string }) {
  const { data, failure } = useFresh(QueueDiagnosisDocument, { name }, state);
  return <DiagnosisPanel diagnosis={data?.queue?.diagnosis} failure={failure} />;
}

function DiagnosisPanel({
  diagnosis,
  failure,
}: {
  diagnosis: Diagnosis | null | undefined;
  failure: string | null;
}) {
  return (
    <section aria-label="Diagnosis">
      <h2>Diagnosis</h2>
      <FailureNote failures={[failure]} />
      {diagnosis && <p>{diagnosis.summary}</p>}
      {diagnosis?.causes.map((cause) => (
        <Cause key={cause.kind} cause={cause} />
      ))}
      {diagnosis && <Proposals diagnosis={diagnosis} />}
    </section>
  );
}

function Cause({ cause }: { cause: Diagnosis['causes'][number] }) {
  const { kind, statement, confidence, share, evidence } = cause;
  const ofAll = share === null ? '' : `, ${percent(share)} of the failures`;
  return (
    <>
      <h3>
        {statement}{' '}
        <span className="muted">
          {kind}, {percent(confidence)} certain{ofAll}
        </span>
      </h3>
      <ul>
        {evidence.map((one, at) => (
          <li key={at}>
            {one.kind === 'LOG_LINES' ? (
              <pre className="log">{visibleText(readable(one.text))}</pre>
            ) : (
              <Fact fact={one} />
            )}
          </li>
        ))}
      </ul>
    </>
  );
}

const paths: Readonly<Record<string, (id: string) => string>> = {
  JOB: jobPath,
  TASK: taskPath,
  QUEUE: queuePath,
};

function Fact({ fact: { text, target } }: { fact: Evidence }) {
  const path = target && paths[target.kind]?.(target.id);
  return path ? (
    <>
      {text} <Link to={path}>{target.kind.toLowerCase()}</Link>
    </>
  ) : (
    text
  );
}

function Proposals({ diagnosis: { helped, actions } }: { diagnosis: Diagnosis }) {
  if (helped.length === 0 && actions.length === 0) return null;
  return (
    <>
      <h3>What may help</h3>
      <ul>
        {helped.map(({ change, statement, jobIds: [sample] }) => (
          <li key={change}>
            {statement} {sample !== undefined && <Link to={jobPath(sample)}>example</Link>}
          </li>
        ))}
        {actions.map(({ title, operation, effect, isUndoable }) => (
          <li key={title}>
            <strong>{title}</strong>: {effect}
            {operation !== null && !isUndoable && ' This cannot be undone.'}
          </li>
        ))}
      </ul>
    </>
  );
}

function percent(fraction: number): string {
  return `${Math.round(fraction * 100)} %`;
}
