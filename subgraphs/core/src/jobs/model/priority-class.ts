/** Priorities of one class: a job preempts only jobs of lower classes. */
const prioritiesPerClass = 100;

/** Class of a priority: 0 for 0 to 99, 1 for 100 to 199, -1 for -100 to -1, and so on. */
export function priorityClassOf(priority: number): number {
  return Math.floor(priority / prioritiesPerClass);
}
