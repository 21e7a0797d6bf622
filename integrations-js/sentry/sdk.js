import * as Sentry from 'vendor'

window.Sentry = Sentry
