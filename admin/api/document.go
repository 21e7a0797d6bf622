package api

import "github.com/danielgtaylor/huma/v2"

func (a *API) routeDocument(huma.API) {}
