/** The job of an event, as far as the event itself tells: many subscribers want no more, and then nothing is read. */
import {
  Kind,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLResolveInfo,
  type SelectionSetNode,
} from 'graphql';
import type { JobDocument } from '../jobs/job.types.js';
import type { JobEvent } from './job-event.js';

/** Fields of a job whose resolvers need no more than an event has. */
const told: ReadonlySet<string> = new Set([
  '__typename',
  'id',
  'experiment',
  'owner',
  'task',
  'taskIndex',
  'share',
  'priority',
  'labels',
  'state',
  'attempt',
  'notBefore',
  'revision',
  'updatedAt',
  'worker',
]);

/** A job as its event tells it: the fields of {@link told} can be resolved from it, and no others. */
export function jobOfEvent({ jobId, last }: JobEvent): JobDocument {
  const known: Partial<JobDocument> = {
    _id: jobId,
    experiment: last.experiment,
    owner: last.owner,
    ...(last.taskId === undefined ? {} : { taskId: last.taskId }),
    ...(last.taskIndex === undefined ? {} : { taskIndex: last.taskIndex }),
    share: last.share,
    priority: last.priority,
    labels: last.labels.map(labelOf),
    state: last.to,
    attempt: last.attempt,
    ...(last.notBefore === undefined ? {} : { notBefore: last.notBefore }),
    ...(last.workerId === undefined ? {} : { workerId: last.workerId }),
    revision: last.revision,
    updatedAt: last.at,
  };
  return known as JobDocument;
}

/** Keys have no `=`. */
function labelOf(text: string): JobDocument['labels'][number] {
  const at = text.indexOf('=');
  return { key: text.slice(0, at), value: text.slice(at + 1) };
}

const answers = new WeakMap<FieldNode, boolean>();

/** Whether the event tells all that is selected of its job. Remembered with the document. */
export function isToldByEvent({
  fieldNodes,
  fragments,
}: Pick<GraphQLResolveInfo, 'fieldNodes' | 'fragments'>): boolean {
  return fieldNodes.every((node) => {
    let answer = answers.get(node);
    if (answer === undefined) {
      answer = node.selectionSet !== undefined && isTold(node.selectionSet, fragments);
      answers.set(node, answer);
    }
    return answer;
  });
}

function isTold(
  { selections }: SelectionSetNode,
  fragments: Readonly<Record<string, FragmentDefinitionNode>>,
): boolean {
  return selections.every((selection) => {
    if (selection.kind === Kind.FIELD) return told.has(selection.name.value);
    if (selection.kind === Kind.INLINE_FRAGMENT) return isTold(selection.selectionSet, fragments);
    const fragment = fragments[selection.name.value];
    return fragment !== undefined && isTold(fragment.selectionSet, fragments);
  });
}
