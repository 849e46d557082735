import { expect, test } from '@jest/globals';
import { jobPath, routeOf, taskPath } from './routes.js';

test.each([
  ['/', { page: 'overview' }],
  ['/tasks/task_1', { page: 'task', id: 'task_1' }],
  ['/jobs/job_1/', { page: 'job', id: 'job_1' }],
  ['/jobs', { page: 'nowhere', path: '/jobs' }],
  ['/jobs/a/b', { page: 'nowhere', path: '/jobs/a/b' }],
  ['/jobs/%zz', { page: 'job', id: '%zz' }],
])('%s is %j', (path, route) => {
  expect(routeOf(path)).toEqual(route);
});

test('a path leads back to its view, whatever the id', () => {
  expect(routeOf(jobPath('a/b c'))).toEqual({ page: 'job', id: 'a/b c' });
  expect(routeOf(taskPath('ü'))).toEqual({ page: 'task', id: 'ü' });
});
