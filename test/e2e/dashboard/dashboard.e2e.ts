// The dashboard in a real browser, with services and one real pilot. The stories share the system, and run in
// this order.
import { beforeAll, expect, it } from '@jest/globals';
import { pilot, startStage } from './stage.js';
import './moving.stories.js';
import './session.stories.js';
import './errors.stories.js';
import './queues.stories.js';
import './workflows.stories.js';
import './jobs.stories.js';
import './files.stories.js';
import './lease-clock.stories.js';

beforeAll(startStage);

it('ends with its system in order', async () => {
  expect(await pilot.kill('SIGTERM')).toMatchObject({ code: 0 });
});
