import { defineLoader } from '@rhizome/subgraph';
import type { Context } from '../context.js';
import type { TaskDocument } from './task.document.js';
import type { TaskProgressFacts } from './tasks.service.js';

/** Tasks by id; what the principal may not read is null. */
export const taskLoader = defineLoader<string, TaskDocument, Context>({
  name: 'Task',
  load: (ids, { core, principal }) => core.tasks.findMany(ids, principal),
});

/** How far tasks are; one count for all tasks of an operation. */
export const progressLoader = defineLoader<TaskDocument, TaskProgressFacts, Context>({
  name: 'TaskProgress',
  cacheKey: ({ _id }) => _id,
  load: (tasks, { core }) => core.tasks.progressOf(tasks),
});
