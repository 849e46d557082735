// Live state loses nothing: each client receives each change of each job once and in order, whichever process
// is killed.
import { storyTest } from './story-test.js';

storyTest(
  'delivers everything to over 200 clients while 5,000 jobs run and the gateway, core and the primary are killed',
  { tasks: 18, jobsOfTask: 272, watchersOfTask: 8, singleJobs: 50, pilotJobs: 54 },
);
