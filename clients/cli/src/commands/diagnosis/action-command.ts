/** Commands that do what an action of a diagnosis proposes. */
import type { CliDiagnosisFragment } from '../../operations.generated.js';

type Action = Pick<CliDiagnosisFragment['actions'][number], 'operation' | 'variables'>;

/** The part of the input of a proposed mutation for which commands have flags. */
interface ProposedInput {
  readonly taskId?: string;
  readonly idempotencyKey?: string;
  readonly isUnlessRetried?: boolean;
  readonly isWithDependents?: boolean;
  readonly selection?: {
    readonly ids?: readonly string[];
  };
  readonly changes?: {
    readonly requirements?: {
      readonly memory?: { readonly memoryMiB?: number };
      readonly walltime?: { readonly seconds?: number };
      readonly diskMiB?: number;
      readonly queue?: string | null;
    };
  };
}

/** The command for an action; undefined if there is none. */
export function commandOf({ operation, variables }: Action): string | undefined {
  const input = (variables as { readonly input?: ProposedInput } | null)?.input;
  if (operation === null || !input) return undefined;
  const verb = verbs[operation];
  const objects = objectsOf(input);
  if (verb === undefined || objects === undefined) return undefined;
  const key = operation === 'retryJobs' && input.idempotencyKey ? ` --key '${input.idempotencyKey}'` : '';
  const dependents = input.isWithDependents === true ? ' --dependents' : '';
  const once = input.isUnlessRetried === true ? ' --unless-retried' : '';
  return `rhizome ${verb} ${objects}${changesOf(input)}${dependents}${once}${key}`;
}

const verbs: Readonly<Record<string, string>> = {
  retryJobs: 'retry',
  releaseJobs: 'release',
  cancelJobs: 'cancel',
  resumeTask: 'task resume',
};

/** Ids; a selection by a filter has no flags. */
function objectsOf({ taskId, selection }: ProposedInput): string | undefined {
  if (taskId !== undefined) return taskId;
  return selection?.ids?.join(' ');
}

function changesOf({ changes }: ProposedInput): string {
  const { memory, walltime, diskMiB, queue } = changes?.requirements ?? {};
  const flags = [
    memory?.memoryMiB === undefined ? [] : `--memory ${memory.memoryMiB}`,
    walltime?.seconds === undefined ? [] : `--walltime ${walltime.seconds}`,
    diskMiB === undefined ? [] : `--disk ${diskMiB}`,
    queue === null ? '--any-queue' : [],
  ].flat();
  return flags.map((flag) => ` ${flag}`).join('');
}
