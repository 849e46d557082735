// The fault story of live state with four times as many jobs and twice as many clients as in `npm test`.
import { storyTest } from './story-test.js';

storyTest(
  'delivers everything to over 400 clients while 20,000 jobs run and the gateway, core and the primary are killed',
  { tasks: 36, jobsOfTask: 550, watchersOfTask: 10, singleJobs: 100, pilotJobs: 100 },
  60 * 60_000,
);
