/** Prompts for the usual diagnoses, which a user picks in a client. Nothing of other users is in them. */

interface PromptText {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Argument, if there is one: its name and its description. */
  readonly argument?: readonly [name: string, description: string];
  readonly text: (value: string) => string;
}

const job = ['job', 'Id of the job, job_….'] as const;
const task = ['task', 'Id of the task, task_….'] as const;
const queue = ['queue', 'Name of the queue.'] as const;
const facts = 'State facts with ids and numbers, and say what is not known.';

const prompts: readonly PromptText[] = [
  {
    name: 'why_does_my_job_wait',
    title: 'Why does my job wait?',
    description: 'Finds the constraint that keeps a job waiting.',
    argument: job,
    text: (id) =>
      `Call explain_job for ${id}. Name the constraint that fails first, and the smallest change that would help. ${facts}`,
  },
  {
    name: 'why_did_my_job_fail',
    title: 'Why did my job fail?',
    description: 'Explains the error of a job by its attempts and its log.',
    argument: job,
    text: (id) =>
      `Call explain_job for ${id}, then read the resource rhizome://job/${id}/log. Compare the attempts: same error, same host? ${facts}`,
  },
  {
    name: 'why_is_my_task_stuck',
    title: 'Why is my task stuck?',
    description: 'Finds what keeps a task from progress.',
    argument: task,
    text: (id) =>
      `Look at the task ${id}, at its jobs by state, and call explain_job for one that waits and one that failed. ${facts}`,
  },
  {
    name: 'what_fails_in_my_task',
    title: 'What fails in my task?',
    description: 'Groups the failures of a task by cause.',
    argument: task,
    text: (id) =>
      `List the failed jobs of the task ${id}, group them by error code and host, and give one example of each. ${facts}`,
  },
  {
    name: 'how_is_my_work',
    title: 'How is my work?',
    description: 'Sums up your tasks and jobs.',
    text: () => `Sum up my tasks and jobs: what runs, what waits, what failed since yesterday. ${facts}`,
  },
  {
    name: 'what_fails_now',
    title: 'What fails now?',
    description: 'Finds errors that have become frequent, and where they occur.',
    text: () =>
      `Look at the errors of the last day by code and by site. Name those that are concentrated on one site or host. ${facts}`,
  },
  {
    name: 'is_a_queue_healthy',
    title: 'Is a queue healthy?',
    description: 'Checks state, hosts and failures of a queue.',
    argument: queue,
    text: (name) =>
      `Check the queue ${name}: its state and downtimes, its workers and hosts, and its recent errors. ${facts}`,
  },
  {
    name: 'where_can_my_job_run',
    title: 'Where can my job run?',
    description: 'Finds the resources that a job could use.',
    argument: job,
    text: (id) =>
      `Call explain_job for ${id}. Say which queues have workers that fit, how many are free, and what would open more. ${facts}`,
  },
  {
    name: 'which_hosts_fail',
    title: 'Which hosts fail?',
    description: 'Finds hosts on which jobs fail more than elsewhere.',
    text: () =>
      `List the hosts that are not healthy, with their queues and errors, the worst first. ${facts}`,
  },
  {
    name: 'watch_my_task',
    title: 'Watch my task',
    description: 'Watches a task until it has ended.',
    argument: task,
    text: (id) =>
      `Call watch_jobs for the task ${id}, again and again with its cursor, and report failures as they occur and the end. ${facts}`,
  },
];

/** Prompts as clients list them. */
export const promptList = prompts.map(({ name, title, description, argument }) => ({
  name,
  title,
  description,
  ...(argument && { arguments: [{ name: argument[0], description: argument[1], required: true }] }),
}));

/** A value that names something, and in which no instruction fits. */
const nameable = /^[\w.:-]{1,128}$/;

/** The messages of a prompt, or the error in words. */
export function findPrompt(name: string, given: Readonly<Record<string, string>>) {
  const prompt = prompts.find((one) => one.name === name);
  if (!prompt) return 'The prompt does not exist.';
  const { argument, text, description } = prompt;
  const value = argument === undefined ? '' : (given[argument[0]] ?? '');
  if (argument !== undefined && !nameable.test(value))
    return `${argument[0]}: must be a name of letters, digits, ".", ":", "_" and "-"`;
  const content = { type: 'text' as const, text: text(value) };
  return { description, messages: [{ role: 'user' as const, content }] };
}
