import { describe, expect, it } from '@jest/globals';
import { taskFault } from './pool-access.js';

describe('taskFault', () => {
  it('names the pool, its task and the task of the caller', () => {
    const ofTask = { name: 'events', taskId: 'task_a' };
    expect(taskFault(ofTask, 'task_a')).toBeUndefined();
    expect(taskFault({ name: 'events' }, undefined)).toBeUndefined();
    expect(taskFault(ofTask, 'task_b')).toContain(
      'Pool "events" belongs to task "task_a", but the caller is a job of task "task_b"',
    );
    expect(taskFault(ofTask, undefined)).toContain('the caller has no task');
  });
});
