#!/usr/bin/env node
/** Rubin as a process of its own. */
import { runExperiment } from '@rhizome/experiment';
import { readConfig } from './config.js';
import { experiment } from './index.js';

await runExperiment(experiment, readConfig);
