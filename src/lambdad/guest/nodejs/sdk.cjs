'use strict';
// The AWS SDK for ECMAScript modules. CommonJS finds it by NODE_PATH; modules have no such path,
// so where Node.js finds nothing for a name, the runtime's own node_modules is tried.

const fs = require('fs');
const path = require('path');

function offerToModules() {
  if (!fs.existsSync(path.join(__dirname, 'node_modules', '@aws-sdk'))) return;
  const { pathToFileURL } = require('url');
  const { register, registerHooks } = require('module');
  const parentURL = pathToFileURL(path.join(__dirname, 'index.mjs')).href;
  if (registerHooks !== undefined) {
    registerHooks({
      resolve(specifier, context, next) {
        try {
          return next(specifier, context);
        } catch (error) {
          if (!isMissingPackage(specifier, error)) throw error;
          return next(specifier, { ...context, parentURL });
        }
      },
    });
  } else if (register !== undefined) {
    // Before Node.js 22.15 such steps run on a thread of their own, which costs a start some 10 ms.
    register(pathToFileURL(path.join(__dirname, 'sdk_hooks.mjs')).href, { data: { parentURL } });
  }
}

function isMissingPackage(specifier, error) {
  return error.code === 'ERR_MODULE_NOT_FOUND' && !/^[./]|^[a-z]+:/.test(specifier);
}

module.exports = { offerToModules };
