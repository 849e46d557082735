import { expect, it } from '@jest/globals';
import { jobPath, routeOf, taskPath } from './routes.js';

it.each([
  ['/', { page: 'overview' }],
  ['/tasks/task_1', { page: 'task', id: 'task_1' }],
  ['/jobs/job_1/', { page: 'job', id: 'job_1' }],
  ['/errors', { page: 'errors' }],
  ['/queues', { page: 'queues' }],
  ['/queues/north', { page: 'queue', id: 'north' }],
  ['/audit', { page: 'audit' }],
  ['/audit/audit_1', { page: 'auditEntry', id: 'audit_1' }],
  ['/proposals', { page: 'proposals' }],
  ['/proposals/pr-1', { page: 'proposal', id: 'pr-1' }],
  ['/identities', { page: 'identities' }],
  ['/workflows', { page: 'workflows' }],
  ['/workflows/workflow_1', { page: 'workflow', id: 'workflow_1' }],
  ['/jobs', { page: 'jobs' }],
  ['/tasks', { page: 'nowhere', path: '/tasks' }],
  ['/jobs/a/b', { page: 'nowhere', path: '/jobs/a/b' }],
  ['/jobs/%zz', { page: 'job', id: '%zz' }],
])('parses %s as %j', (path, route) => {
  expect(routeOf(path)).toEqual(route);
});

it('leads back to its view for any id', () => {
  expect(routeOf(jobPath('a/b c'))).toEqual({ page: 'job', id: 'a/b c' });
  expect(routeOf(taskPath('ü'))).toEqual({ page: 'task', id: 'ü' });
});
