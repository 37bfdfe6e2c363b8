// On every page.

import htmx from "htmx.org";

import "./follow.js";

// The content security policy forbids both; neither is used.
htmx.config.includeIndicatorStyles = false;
htmx.config.allowEval = false;
htmx.config.selfRequestsOnly = true;
