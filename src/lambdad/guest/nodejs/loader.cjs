'use strict';
// From the configured handler, `folder/file.export.nested`, to the function to call.

const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');
const {
  CallbackHandlerDeprecated,
  HandlerNotFound,
  ImportModuleError,
  MalformedHandlerName,
  UserCodeSyntaxError,
} = require('./errors.cjs');
const streaming = require('./streaming.cjs');

// AWS's entry point has this name, which `Require stack:` in error texts shows.
const userRequire = createRequire(path.join(__dirname, 'index.mjs'));

const NODE_MAJOR = Number(process.versions.node.split('.', 1)[0]);

async function loadHandler(taskRoot, name) {
  if (name.includes('..')) {
    throw new MalformedHandlerName(
      `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const base = path.basename(name);
  const folder = name.slice(0, name.indexOf(base));
  const dot = base.indexOf('.');
  if (dot < 0) throw new MalformedHandlerName('Bad handler');
  streaming.install(globalThis);
  const loaded = await load(taskRoot, folder, base.slice(0, dot));
  const handler = base
    .slice(dot + 1)
    .split('.')
    .reduce((value, key) => value && value[key], loaded);
  check(handler, name);
  return handler;
}

function check(handler, name) {
  if (!handler) throw new HandlerNotFound(`${name} is undefined or not exported`);
  if (typeof handler !== 'function') throw new HandlerNotFound(`${name} is not a function`);
  if (NODE_MAJOR >= 24 && handler.length >= 3 && !streaming.isStreaming(handler)) {
    throw new CallbackHandlerDeprecated(
      'AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. ' +
        'You need to modify this function to use a supported handler signature to use Node.js 24 or later.',
    );
  }
}

async function load(taskRoot, folder, file) {
  try {
    return await find(taskRoot, folder, file);
  } catch (error) {
    if (error instanceof SyntaxError) throw new UserCodeSyntaxError(error);
    if (error && error.code === 'MODULE_NOT_FOUND') throw new ImportModuleError(error);
    throw error;
  }
}

async function find(taskRoot, folder, file) {
  const place = path.resolve(taskRoot, folder, file);
  if (isFile(place)) return userRequire(place);
  if (isFile(`${place}.js`)) {
    return isModule(path.dirname(place)) ? importFile(`${place}.js`) : userRequire(`${place}.js`);
  }
  if (isFile(`${place}.mjs`)) return importFile(`${place}.mjs`);
  if (isFile(`${place}.cjs`)) return userRequire(`${place}.cjs`);
  return userRequire(userRequire.resolve(file, { paths: [taskRoot, path.resolve(taskRoot, folder)] }));
}

function isFile(file) {
  // A directory of that name is left to the resolution of packages.
  const found = fs.statSync(file, { throwIfNoEntry: false });
  return found !== undefined && found.isFile();
}

function importFile(file) {
  require('./sdk.cjs').offerToModules();
  return import(require('url').pathToFileURL(file).href);
}

// Whether the nearest package.json says that `.js` files are ECMAScript modules.
function isModule(folder) {
  if (folder.endsWith('/node_modules')) return false;
  const file = path.join(folder, 'package.json');
  if (isFile(file)) {
    try {
      const content = JSON.parse(fs.readFileSync(file, 'utf8'));
      return Boolean(content) && content.type === 'module';
    } catch (error) {
      console.warn(`${file} cannot be read, it will be ignored for ES module detection purposes.`, error);
      return false;
    }
  }
  return folder === '/' ? false : isModule(path.dirname(folder));
}

module.exports = { NODE_MAJOR, loadHandler };
