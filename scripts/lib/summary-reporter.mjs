import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** The variable that says where the summary goes. */
export const SUMMARY_VARIABLE = 'CARCOSA_TEST_SUMMARY';

/**
 * @typedef {object} Summary what one run of vitest did
 * @property {number} passed
 * @property {string[]} failed names; a file that does not load, a hook that fails and an error outside of any test count as one each
 * @property {{ name: string, reason: string }[]} skipped
 */

/** Writes a {@link Summary} as JSON when a run of vitest ends. */
export default class SummaryReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const groups = modules.flatMap((module) => [module, ...module.children.allSuites()]);
    const withState = (state) => tests.filter((test) => test.result().state === state);
    const summary = {
      passed: withState('passed').length,
      failed: [
        ...withState('failed').map(nameOf),
        ...groups
          .filter((group) => group.errors().length > 0)
          .map((group) => `${nameOf(group)} (outside of its tests)`),
        ...unhandledErrors.map((error) => `an error that nothing caught: ${error.message}`),
      ],
      // What is neither passed, failed nor skipped never ran, because the run was cut short.
      skipped: [...withState('skipped'), ...withState('pending')].map((test) => ({
        name: nameOf(test),
        reason: reasonOf(test),
      })),
    };
    const file = process.env[SUMMARY_VARIABLE];
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify(summary, null, 2));
  }
}

function nameOf(task) {
  const module = task.type === 'module' ? task : task.module;
  return task === module ? module.relativeModuleId : `${module.relativeModuleId} > ${task.fullName}`;
}

/** The reason that the test gave; the name of a group that was skipped as a whole has it in brackets. */
function reasonOf(test) {
  const result = test.result();
  if (result.note) return result.note;
  if (result.state === 'pending' || isUnderBroken(test)) return 'did not run, since what surrounds it failed';
  if (test.options.mode === 'todo') return 'to be written';
  return /\(((?:needs|Debian:) [^)]+)\)/.exec(test.fullName)?.[1] ?? 'gives no reason';
}

function isUnderBroken(task) {
  const { parent } = task;
  return parent !== undefined && (parent.errors().length > 0 || isUnderBroken(parent));
}
